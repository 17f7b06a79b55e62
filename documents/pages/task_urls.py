"""The URLs under ``/dashboard/tasks/``."""

from django.urls import path

from documents.pages import tasks

urlpatterns = [
    path("", tasks.overview, name="task-pages"),
    path("now/", tasks.live_partial, name="task-pages-now"),
    path("list/", tasks.listing, name="task-pages-list"),
    path("errors/", tasks.errors, name="task-errors"),
    path("act/", tasks.perform_action, name="task-pages-act"),
    path("pause/", tasks.pause, name="task-pages-pause"),
    path("resume/", tasks.resume, name="task-pages-resume"),
    path("groups/<slug:key>/retry/", tasks.retry_group, name="task-pages-retry-group"),
    path("schedules/<slug:name>/run/", tasks.run_schedule, name="task-pages-run"),
    path("<uuid:task_id>/", tasks.task, name="task-page"),
    path("<uuid:task_id>/now/", tasks.task_live_partial, name="task-page-now"),
]
