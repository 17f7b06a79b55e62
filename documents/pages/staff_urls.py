"""Addresses under ``/dashboard/tasks/``."""

from django.urls import path

from documents.pages import staff

urlpatterns = [
    path("", staff.overview, name="task-pages"),
    path("now/", staff.now, name="task-pages-now"),
    path("list/", staff.listing, name="task-pages-list"),
    path("act/", staff.act, name="task-pages-act"),
    path("pause/", staff.pause, name="task-pages-pause"),
    path("resume/", staff.resume, name="task-pages-resume"),
    path("groups/<slug:key>/retry/", staff.retry_group, name="task-pages-retry-group"),
    path("schedules/<slug:name>/run/", staff.run_schedule, name="task-pages-run"),
    path("<uuid:task_id>/", staff.task, name="task-page"),
    path("<uuid:task_id>/now/", staff.task_now, name="task-page-now"),
]
