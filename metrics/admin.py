"""The raw data of the measurements in Django's admin, read-only."""

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from metrics.models import Evaluation, Feedback, ModeChange, ModeState, WebProcess


class ReadOnly[Row: Model](admin.ModelAdmin[Row]):
    """Rows that are read-only in the admin."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        """Refuse, so that the audit trail stays complete."""
        return False


@admin.register(ModeChange)
class ModeChangeAdmin(ReadOnly[ModeChange]):
    """The audit trail of the mode."""

    list_display = ("at", "before", "after", "setting", "actor", "reason", "is_dry_run")
    list_filter = ("after", "actor", "is_dry_run")


@admin.register(ModeState)
class ModeStateAdmin(ReadOnly[ModeState]):
    """The state of the mode."""

    list_display = ("mode", "since", "reason", "alarm", "override", "override_until", "evaluated_at")


@admin.register(Evaluation)
class EvaluationAdmin(ReadOnly[Evaluation]):
    """The stored evaluations."""

    list_display = ("at", "mode")
    show_full_result_count = False


@admin.register(Feedback)
class FeedbackAdmin(ReadOnly[Feedback]):
    """The feedback of users."""

    list_display = ("created_at", "kind", "user", "text", "task_id")
    list_filter = ("kind",)
    list_select_related = ("user",)


@admin.register(WebProcess)
class WebProcessAdmin(ReadOnly[WebProcess]):
    """The running web processes."""

    list_display = ("name", "host", "threads", "render_slots", "seen_at")
