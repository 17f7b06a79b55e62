"""The failed attempts of tasks, for the maintainer."""

from django.db import models
from django.utils import timezone

MAX_TRACEBACK_CHARACTERS = 20_000


class Failure(models.Model):
    """A failed attempt of a task; ``error`` is the problem that clients get, ``traceback`` is for staff."""

    task = models.ForeignKey("documents.Task", on_delete=models.CASCADE, related_name="failures")
    attempt = models.PositiveSmallIntegerField()
    at = models.DateTimeField(default=timezone.now)
    worker = models.CharField(max_length=150, blank=True)
    error = models.JSONField()
    traceback = models.TextField(blank=True)

    class Meta:
        ordering = ("at", "pk")

    def __str__(self) -> str:
        return f"attempt {self.attempt}: {self.error.get('detail')}"
