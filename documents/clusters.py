"""The clusters of workers that run: a row each, with a heartbeat."""

from datetime import timedelta
from typing import Self

from django.db import models
from django.utils import timezone


class ClusterQuerySet(models.QuerySet["Cluster"]):
    """Clusters of workers."""

    def alive(self) -> Self:
        """Return those whose heartbeat is fresh; one from the future says nothing (a clock that jumped)."""
        now = timezone.now()
        return self.filter(seen_at__range=(now - Cluster.FRESH, now + Cluster.FRESH))


class Cluster(models.Model):
    """A running ``qcluster``: its heartbeat and the number of its workers."""

    FRESH = timedelta(seconds=10)

    name = models.CharField("host and process id", max_length=120, primary_key=True)
    workers = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)

    objects = ClusterQuerySet.as_manager()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
