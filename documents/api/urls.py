"""The addresses of the API, under ``/api/v1/``."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from documents.api.events import events
from documents.api.imports import ApplyView, ImportsView
from documents.api.notices import NoticesView, ResendView
from documents.api.tasks import TaskViewSet
from documents.api.tokens import TokenView
from documents.api.uploads import ImageFileView
from documents.api.views import DocumentViewSet, ProjectViewSet

router = SimpleRouter()
router.register("projects", ProjectViewSet, basename="project")
router.register("documents", DocumentViewSet, basename="document")
router.register("tasks", TaskViewSet, basename="task")

urlpatterns = [
    path("auth/token/", TokenView.as_view(), name="token"),
    path("imports/", ImportsView.as_view(), name="imports"),
    path("imports/<uuid:task_id>/apply/", ApplyView.as_view(), name="import-apply"),
    path("images/<uuid:pk>/", ImageFileView.as_view(), name="image-file"),
    path("tasks/<uuid:task_id>/events/", events, name="task-events"),
    path("tasks/<uuid:task_id>/notices/", NoticesView.as_view(), name="task-notices"),
    path("tasks/<uuid:task_id>/notices/<uuid:notice_id>/resend/", ResendView.as_view(), name="notice-resend"),
    *router.urls,
]
