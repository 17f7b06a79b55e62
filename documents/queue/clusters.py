"""The cluster that this process belongs to: its name, heartbeat, and the watch over its health."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from documents.infrastructure import storage
from documents.models import Cluster, Task
from documents.queue import leases

STALLED_SECONDS = 8.0
STALLED = timedelta(seconds=STALLED_SECONDS)

logger = logging.getLogger(__name__)

_cluster_name = ""


def register_cluster() -> str:
    """Give this process and all that it forks the name of a new cluster."""
    global _cluster_name  # noqa: PLW0603 (one process, one cluster)
    _cluster_name = f"{storage.host()}:{os.getpid()}:{time.time_ns() // 1_000_000:x}"
    return _cluster_name


def cluster_name() -> str:
    """Return the name of the cluster that this process belongs to."""
    return _cluster_name or register_cluster()


def worker_name() -> str:
    """Return the name of this worker process, which begins with its cluster's."""
    return f"{_cluster_name or storage.host()}/{os.getpid()}"


def heartbeat(name: str, workers: int, memory_bytes: Mapping[int, int] | None = None) -> bool:
    """Say that the cluster is there; return whether this was its first heartbeat.

    ``memory_bytes`` is what each of its workers takes, by process id, when that was looked at.
    """
    now, news = timezone.now(), {}
    if memory_bytes is not None:
        listed = sorted(memory_bytes.items())
        news["processes"] = [{"name": f"{name}/{pid}", "memory_bytes": size} for pid, size in listed]
    if Cluster.objects.filter(pk=name).update(seen_at=now, **news):
        return False
    Cluster.objects.create(name=name, workers=workers, **news)
    Cluster.objects.filter(seen_at__lt=now - timedelta(hours=1)).delete()
    return True


def deregister(name: str) -> None:
    """Let others have what the cluster was running, and forget it."""
    returned = leases.release_worker(f"{name}/")
    if returned:
        logger.warning("%d running tasks of %s go back to the queue", returned, name)
    Cluster.objects.filter(pk=name).delete()


class Watchdog:
    """Notices a cluster that does nothing although there is work: Django-Q2 cannot mend itself then.

    A worker that is killed while it waits for work takes the lock of the shared pipe with it; no other worker
    ever gets anything again, and the cluster looks alive.
    """

    def __init__(self, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._well_at = clock()

    def is_stalled(self) -> bool:
        """Say whether work has waited for some seconds in which none of the cluster's workers did any."""
        if not self._is_work_waiting() or self._is_working():
            self._well_at = self._clock()
        return self._clock() - self._well_at > STALLED_SECONDS

    def reset(self) -> None:
        """Begin anew: the database was away, so nobody could work."""
        self._well_at = self._clock()

    def _is_work_waiting(self) -> bool:
        return Task.objects.due().exists()

    def _is_working(self) -> bool:
        own, lately = Q(worker__startswith=f"{self._name}/"), timezone.now() - STALLED
        just_ended = Task.objects.filter(own, finished_at__gt=lately)
        # Work in steps: each may begin and end between two looks.
        in_steps = Task.objects.in_flight().filter(own, status=Task.Status.QUEUED, claimable_at__gt=lately)
        return Task.objects.running().filter(own).exists() or just_ended.exists() or in_steps.exists()
