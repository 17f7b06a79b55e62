"""How much waits, how long it will take, and how fast it goes."""

import functools
import math
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Avg, Count, F, Min, Q, QuerySet, Sum
from django.utils import timezone

from documents.models import Cluster, Task

RECENT_TASKS = 20
DEFAULT_SERVICE_SECONDS = 2.0
SERVICE_TIME_CACHE_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class QueuePosition:
    """Where a task stands in the queue, from 1, and in how many seconds it will probably be done."""

    position: int
    estimated_seconds: int


def positions(watched: Iterable[Task]) -> dict[uuid.UUID, QueuePosition]:
    """Return where each of these tasks stands, of those that wait in the queue: three questions however many."""
    waiting = [task for task in watched if task.mode == Task.Mode.QUEUE and task.status in Task.WAITING]
    if not waiting:
        return {}
    order = Task.objects.waiting().order_by("claimable_at").values_list("pk", flat=True)
    positions = {pk: number for number, pk in enumerate(order, start=1)}
    running, seconds_each = running_in_queue().count(), mean_service_seconds(_period())
    return {
        task.pk: QueuePosition(
            position=positions[task.pk],
            estimated_seconds=math.ceil(_wait_seconds(task) + (positions[task.pk] + running) * seconds_each),
        )
        for task in waiting
        if task.pk in positions
    }


def _wait_seconds(task: Task) -> float:
    """Return how long a task waits by itself before it may run."""
    return max(0.0, (task.claimable_at - timezone.now()).total_seconds())


def position(waiting: Task) -> QueuePosition | None:
    """Return where a task stands, or None when it does not wait in the queue."""
    if waiting.mode != Task.Mode.QUEUE or waiting.status not in Task.WAITING:
        return None
    is_running = Q(status=Task.Status.RUNNING)
    is_before = Q(status__in=Task.WAITING, claimable_at__lt=waiting.claimable_at)
    others = (
        Task.objects.in_flight()
        .filter(mode=Task.Mode.QUEUE)
        .aggregate(ahead=Count("pk", filter=is_before), running=Count("pk", filter=is_running))
    )
    seconds_each = mean_service_seconds(_period())
    work_seconds = (others["ahead"] + others["running"] + 1) * seconds_each
    return QueuePosition(
        position=others["ahead"] + 1, estimated_seconds=math.ceil(_wait_seconds(waiting) + work_seconds)
    )


def estimated_wait_seconds() -> float:
    """Return how long a new task would probably wait for a worker."""
    return Task.objects.waiting().count() * mean_service_seconds(_period())


def running_in_queue() -> QuerySet[Task]:
    """Return the tasks that workers run now."""
    return Task.objects.running().filter(mode=Task.Mode.QUEUE)


def _period() -> int:
    return int(time.monotonic() / SERVICE_TIME_CACHE_SECONDS)


@functools.lru_cache(maxsize=1)
def mean_service_seconds(_period: int) -> float:
    """Return the seconds in which all workers together do one task, as the last ones took."""
    done = Task.objects.filter(status=Task.Status.SUCCEEDED).order_by("-finished_at")
    took = done.annotate(took=F("finished_at") - F("started_at"))[:RECENT_TASKS]
    mean = took.aggregate(mean=Avg("took"))["mean"]
    return (mean.total_seconds() if mean else DEFAULT_SERVICE_SECONDS) / max(1, live_workers())


def live_workers() -> int:
    """Return the workers of all live clusters; none while the queue is paused."""
    return int(Cluster.objects.accepting().aggregate(total=Sum("workers"))["total"] or 0)


def lag_seconds() -> float:
    """Return how long the oldest task that may run has waited."""
    oldest = Task.objects.due().aggregate(oldest=Min("claimable_at"))["oldest"]
    return max(0.0, (timezone.now() - oldest).total_seconds()) if oldest else 0.0
