"""Django's admin for the raw data of the measuring: to look at, never to change."""

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from metrics.models import Evaluation, Feedback, ModeChange, ModeState


class ReadOnly[Row: Model](admin.ModelAdmin[Row]):
    """Rows that are read-only in the admin."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        """Refuse: an audit trail stays whole."""
        return False


@admin.register(ModeChange)
class ModeChangeAdmin(ReadOnly[ModeChange]):
    """The audit trail of the mode."""

    list_display = ("at", "before", "after", "setting", "actor", "reason", "is_dry_run")
    list_filter = ("after", "actor", "is_dry_run")


@admin.register(ModeState)
class ModeStateAdmin(ReadOnly[ModeState]):
    """The flag."""

    list_display = ("mode", "since", "reason", "alarm", "override", "override_until", "evaluated_at")


@admin.register(Evaluation)
class EvaluationAdmin(ReadOnly[Evaluation]):
    """What each evaluation found."""

    list_display = ("at", "mode")
    show_full_result_count = False


@admin.register(Feedback)
class FeedbackAdmin(ReadOnly[Feedback]):
    """What users said."""

    list_display = ("created_at", "kind", "user", "text", "task_id")
    list_filter = ("kind",)
    list_select_related = ("user",)
