"""The running clusters of workers: one row each, with a heartbeat."""

from datetime import timedelta
from typing import Any, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q, Value
from django.db.models.functions import Concat
from django.utils import timezone

from documents.models.tasks import Task, shared_now


def host_of(name: str) -> str:
    """Return the host in the name of a cluster, a worker or a web process."""
    return name.partition("/")[0].partition(":")[0]


def claimed_on(host: str) -> Q:
    """Return the condition that a task was claimed last by a worker of this host."""
    return Q(worker__startswith=f"{host}:") | Q(worker__startswith=f"{host}/")


class ClusterQuerySet(models.QuerySet["Cluster"]):
    """Clusters of workers."""

    def beating(self) -> Self:
        """Return the clusters with a fresh heartbeat; a time in the future means a clock was set back."""
        now = shared_now()
        return self.filter(seen_at__range=(now - Cluster.FRESH, now + Cluster.FRESH))

    def live(self) -> Self:
        """Return the clusters with a fresh heartbeat or fresh work.

        On a machine with too much to do, a heartbeat may be late although the workers work.
        """
        now = shared_now()
        is_own = Q(worker__startswith=Concat(OuterRef("name"), Value("/")))
        holds_lease = Q(
            status=Task.Status.RUNNING, finished_at=None, lease_until__range=(now, now + Cluster.FRESH)
        )
        has_ended = Q(finished_at__range=(now - Cluster.FRESH, now))
        works = Exists(Task.objects.filter(is_own, holds_lease | has_ended))
        return self.beating() | self.filter(works)

    def accepting(self) -> Self:
        """Return the live clusters, or none while the queue is paused."""
        return self.live().filter(~Exists(Pause.objects.all()))


class Cluster(models.Model):
    """A running cluster: its heartbeat, the number of its workers, and the memory of each.

    ``render_slots`` are those of its machine; None in the rows of older versions.

    ``processes`` lists ``{"name": of the worker, "memory_bytes": including its rendering process}``.
    """

    FRESH = timedelta(seconds=30)  # as long as a lease

    name = models.CharField("host and process id", max_length=120, primary_key=True)
    workers = models.PositiveSmallIntegerField()
    render_slots = models.PositiveIntegerField(null=True)
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    processes: models.JSONField[Any, Any] = models.JSONField(default=list)

    objects = ClusterQuerySet.as_manager()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def host(self) -> str:
        """The machine that it runs on."""
        return host_of(self.name)


class Pause(models.Model):
    """The one row that exists while the queue is paused: by whom, when and why."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    at = models.DateTimeField(default=timezone.now)
    by = models.CharField(max_length=150)
    reason = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"paused by {self.by}: {self.reason}"
