"""Reports that are made on a schedule."""

from django.conf import settings
from django.db import models

from documents.models.schedules import CronSchedule
from documents.models.text_fields import LineField


class ScheduledReport(CronSchedule):
    """An export or a document's PDF that is made when its cron expression matches, and mailed to its receivers.

    It contains what ``owner`` may see at that moment. ``arguments`` are those of the task.
    """

    class Kind(models.TextChoices):
        EXPORT = "export", "Export"
        PDF = "pdf", "PDF of a document"

    class Missed(models.TextChoices):
        ONCE = "once", "catch up once"
        SKIP = "skip", "wait for the next time"

    name = LineField(max_length=100, unique=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    document = models.ForeignKey("documents.Document", on_delete=models.CASCADE, null=True, blank=True)
    arguments = models.JSONField(default=dict, blank=True)
    receivers = models.JSONField("addresses", default=list)
    missed = models.CharField(
        "a time that was missed", max_length=4, choices=Missed.choices, default=Missed.ONCE
    )
    last_run_at = models.DateTimeField(null=True, blank=True)
    last_task = models.ForeignKey(
        "documents.Task", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    last_problem = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ("next_run_at", "name")

    def __str__(self) -> str:
        return self.name
