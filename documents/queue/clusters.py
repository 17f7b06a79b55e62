"""The cluster of workers that this process belongs to: its name, heartbeat and watchdog."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from django.conf import settings
from django.db.models import Q

from documents.infrastructure import storage
from documents.models import Cluster, Task
from documents.models.tasks import shared_now
from documents.queue import leases

STALLED_SECONDS = 8.0
STALLED = timedelta(seconds=STALLED_SECONDS)

logger = logging.getLogger(__name__)

_cluster_name = ""


def register_cluster() -> str:
    """Name a new cluster, of this process and all that it forks, and return the name."""
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
    """Record a heartbeat of the cluster; return True if it is the first one.

    ``memory_bytes`` is the memory of each worker by process id, or None if it was not measured.
    """
    now = shared_now()
    values: dict[str, object] = {}
    if memory_bytes is not None:
        items = sorted(memory_bytes.items())
        values["processes"] = [{"name": f"{name}/{pid}", "memory_bytes": size} for pid, size in items]
    if Cluster.objects.filter(pk=name).update(seen_at=now, **values):
        return False
    values |= {"seen_at": now, "workers": workers, "render_slots": settings.SPMS_RENDER_SLOTS}
    Cluster.objects.create(name=name, **values)
    Cluster.objects.filter(seen_at__lt=now - timedelta(hours=1)).delete()
    return True


def deregister(name: str) -> None:
    """Requeue the tasks of the cluster's workers, and delete its row."""
    returned = leases.release_worker(f"{name}/")
    if returned:
        logger.warning("%d running tasks of %s go back to the queue", returned, name)
    Cluster.objects.filter(pk=name).delete()


class Watchdog:
    """Detects a stalled cluster, from which Django-Q2 cannot recover.

    A worker that is killed while it waits for work still holds the lock of the shared pipe: no other worker gets
    any task, yet the cluster looks alive. ``clock`` returns monotonic seconds.
    """

    def __init__(self, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._healthy_at = clock()

    def is_stalled(self) -> bool:
        """Return True if tasks have been due for STALLED_SECONDS while no worker of the cluster ran any."""
        if not self._is_work_waiting() or self._is_working():
            self._healthy_at = self._clock()
        return self._clock() - self._healthy_at > STALLED_SECONDS

    def reset(self) -> None:
        """Restart the measurement, as when the database was away and no worker could run a task."""
        self._healthy_at = self._clock()

    def _is_work_waiting(self) -> bool:
        return Task.objects.due().exists()

    def _is_working(self) -> bool:
        is_own, since = Q(worker__startswith=f"{self._name}/"), shared_now() - STALLED
        just_ended = Task.objects.filter(is_own, finished_at__gt=since)
        # A step of a rescheduled task may begin and end between two checks.
        rescheduled = Task.objects.in_flight().filter(
            is_own, status=Task.Status.QUEUED, claimable_at__gt=since
        )
        return Task.objects.running().filter(is_own).exists() or just_ended.exists() or rescheduled.exists()
