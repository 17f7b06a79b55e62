"""The URLs of the API, under ``/api/v1/``."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from documents.api.cycles import BounceView, CycleViewSet, LetterResendView, LettersView
from documents.api.documents import DocumentViewSet
from documents.api.events import events
from documents.api.exports import ExportsView
from documents.api.images import ImageFileView
from documents.api.imports import ApplyView, ImportsView
from documents.api.projects import ProjectViewSet
from documents.api.scheduled_reports import ScheduledReportViewSet
from documents.api.subscriptions import ResendView, SubscriptionsView
from documents.api.tasks import TaskViewSet
from documents.api.tokens import TokenView

router = SimpleRouter()
router.register("projects", ProjectViewSet, basename="project")
router.register("documents", DocumentViewSet, basename="document")
router.register("reports", ScheduledReportViewSet, basename="report")
router.register("cycles", CycleViewSet, basename="cycle")
router.register("tasks", TaskViewSet, basename="task")

urlpatterns = [
    path("auth/token/", TokenView.as_view(), name="token"),
    path("imports/", ImportsView.as_view(), name="imports"),
    path("imports/<uuid:task_id>/apply/", ApplyView.as_view(), name="import-apply"),
    path("images/<uuid:pk>/", ImageFileView.as_view(), name="image-file"),
    path("exports/", ExportsView.as_view(), name="exports"),
    path("tasks/<uuid:task_id>/events/", events, name="task-events"),
    path("tasks/<uuid:task_id>/notices/", SubscriptionsView.as_view(), name="task-notices"),
    path("tasks/<uuid:task_id>/notices/<uuid:notice_id>/resend/", ResendView.as_view(), name="notice-resend"),
    path("cycles/<int:cycle_id>/letters/", LettersView.as_view(), name="cycle-letters"),
    path(
        "cycles/<int:cycle_id>/letters/<int:letter_id>/again/",
        LetterResendView.as_view(),
        name="letter-again",
    ),
    path("cycles/<int:cycle_id>/letters/<int:letter_id>/bounce/", BounceView.as_view(), name="letter-bounce"),
    *router.urls,
]
