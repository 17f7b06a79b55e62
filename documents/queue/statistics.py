"""Figures of the queue: positions, expected waits, workers and lag."""

import math
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

import cachetools
from django.db.models import Avg, F, Min, QuerySet, Sum
from django.utils import timezone

from documents.models import Cluster, Task

RECENT_TASKS = 20
DEFAULT_SERVICE_SECONDS = 2.0
SERVICE_TIME_CACHE_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class QueuePosition:
    """The position of a task in the queue, from 1, and the seconds until it will probably be done."""

    position: int
    estimated_seconds: int


def positions(tasks: Iterable[Task]) -> dict[uuid.UUID, QueuePosition]:
    """Return the position of each of these tasks that waits in the queue, in three queries."""
    waiting = [task for task in tasks if task.mode == Task.Mode.QUEUE and task.status in Task.WAITING]
    if not waiting:
        return {}
    order = Task.objects.waiting().order_by("claimable_at").values_list("pk", flat=True)
    positions = {pk: number for number, pk in enumerate(order, start=1)}
    running, seconds_each = running_in_queue().count(), mean_service_seconds()
    return {
        task.pk: QueuePosition(
            position=positions[task.pk],
            estimated_seconds=math.ceil(_wait_seconds(task) + (positions[task.pk] + running) * seconds_each),
        )
        for task in waiting
        if task.pk in positions
    }


def _wait_seconds(task: Task) -> float:
    """Return the seconds until a task may run."""
    return max(0.0, (task.claimable_at - timezone.now()).total_seconds())


def position(task: Task) -> QueuePosition | None:
    """Return where a task stands, or None when it does not wait in the queue."""
    return positions([task]).get(task.pk)


def estimated_wait_seconds() -> float:
    """Return how many seconds a new task would probably wait for a worker."""
    return Task.objects.waiting().count() * mean_service_seconds()


def running_in_queue() -> QuerySet[Task]:
    """Return the tasks that workers are running."""
    return Task.objects.running().filter(mode=Task.Mode.QUEUE)


@cachetools.cached(cachetools.TTLCache(maxsize=1, ttl=SERVICE_TIME_CACHE_SECONDS), lock=threading.Lock())
def mean_service_seconds() -> float:
    """Return the seconds in which all workers together finish one task: the mean of the latest tasks."""
    succeeded = Task.objects.filter(status=Task.Status.SUCCEEDED).order_by("-finished_at")
    latest = succeeded.annotate(duration=F("finished_at") - F("started_at"))[:RECENT_TASKS]
    mean = latest.aggregate(mean=Avg("duration"))["mean"]
    return (mean.total_seconds() if mean else DEFAULT_SERVICE_SECONDS) / max(1, live_workers())


def live_workers() -> int:
    """Return the number of workers of all live clusters; 0 while the queue is paused."""
    return int(Cluster.objects.accepting().aggregate(total=Sum("workers"))["total"] or 0)


def lag_seconds() -> float:
    """Return how many seconds the oldest task that is due has waited."""
    oldest = Task.objects.due().aggregate(oldest=Min("claimable_at"))["oldest"]
    return max(0.0, (timezone.now() - oldest).total_seconds()) if oldest else 0.0
