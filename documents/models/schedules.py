"""What runs on a schedule: a cron expression and the time of the next run."""

from django.db import models


class CronSchedule(models.Model):
    """A schedule. ``cron`` is in the time zone of the agency; ``next_run_at`` is None while it is paused."""

    cron = models.CharField("cron expression", max_length=100)
    next_run_at = models.DateTimeField(null=True, blank=True, db_index=True)

    class Meta:
        abstract = True


class PeriodicTask(CronSchedule):
    """A kind of task that maintains the installation.

    The first cluster creates the row; the maintainer may change it.
    """

    kind = models.CharField(max_length=20, unique=True)

    class Meta:
        ordering = ("next_run_at", "kind")

    def __str__(self) -> str:
        return self.kind
