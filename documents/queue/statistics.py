"""Figures of the queue: positions, expected waits, workers and lag."""

import math
import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import cachetools
from django.conf import settings
from django.db.models import Count, Min, QuerySet, Sum
from django.utils import timezone

from documents.infrastructure import storage
from documents.models import Cluster, Task, claimed_on
from documents.queue import registry, turns
from metrics.decisions.routing import MAX_PATIENCE_SECONDS

RECENT_TASKS = 20
DEFAULT_SERVICE_SECONDS = 2.0
SERVICE_TIME_CACHE_SECONDS = 5.0
LINE_CACHE_SECONDS = 0.5
WAIT_SAMPLES = 500
LONG_WORK = timedelta(seconds=MAX_PATIENCE_SECONDS)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class QueuePosition:
    """The position of a task in the queue, from 1, and the seconds until it will probably be done."""

    position: int
    estimated_seconds: int


@dataclass(frozen=True, kw_only=True)
class WaitTimes:
    """How long the tasks begun in the last hour had waited, and how long the oldest has waited by now.

    The percentiles are None if no task was begun.
    """

    p50_seconds: float | None
    p95_seconds: float | None
    oldest_seconds: float


def positions(tasks: Iterable[Task]) -> dict[uuid.UUID, QueuePosition]:
    """Return the position of each of these tasks that waits in the queue; at most LINE_CACHE_SECONDS old."""
    waiting = [task for task in tasks if task.mode == Task.Mode.QUEUE and task.status in Task.WAITING]
    if not waiting:
        return {}
    line, seconds_each = current_line(), mean_service_seconds()
    places = {task: line.join(task) for task in waiting}
    return {
        task.pk: QueuePosition(
            position=place,
            estimated_seconds=math.ceil(_wait_seconds(task) + (place + line.running) * seconds_each),
        )
        for task, place in places.items()
    }


@cachetools.cached(cachetools.TTLCache(maxsize=1, ttl=LINE_CACHE_SECONDS), condition=threading.Condition())
def current_line() -> turns.Line:
    """Return the line as this process read it last; while one thread reads it, the others wait for it."""
    return turns.Line(Task.objects.waiting())


def _wait_seconds(task: Task) -> float:
    """Return the seconds until a task may run."""
    return max(0.0, (task.claimable_at - timezone.now()).total_seconds())


def position(task: Task) -> QueuePosition | None:
    """Return where a task stands, or None when it does not wait in the queue."""
    return positions([task]).get(task.pk)


def estimated_wait_seconds() -> float:
    """Return how many seconds a PDF would probably wait for a worker: other kinds let it pass."""
    return count_waiting_pdfs() * mean_service_seconds()


def count_waiting_pdfs() -> int:
    """Return how many tasks wait for a worker, without those of kinds that let a PDF pass."""
    return Task.objects.due().asked_for().exclude(kind__in=registry.low_priority_kinds()).count()


def has_queue_ahead(*, has_free_slot: bool) -> bool:
    """Return True if PDFs wait in the queue that workers of this machine are about to bring to its render slots.

    A free slot is for them, unless there are more slots than workers. While all workers do other or long work, they
    bring none.
    """
    workers, _ = workers_here_and_elsewhere()
    if not workers or (has_free_slot and workers < int(settings.SPMS_RENDER_SLOTS)):
        return False
    if not Task.objects.due().asked_for().filter(kind="pdf").exists():
        return False
    here = running_in_queue().filter(claimed_on(storage.host()))
    return here.exclude(kind="pdf", started_at__gt=timezone.now() - LONG_WORK).count() < workers


def inline_wait_seconds(ahead: int) -> float:
    """Return how many seconds a render waits for a slot of this machine behind ``ahead`` others; 0 if one is free."""
    slots = int(settings.SPMS_RENDER_SLOTS)
    return (ahead + 1 - slots) / slots * mean_work_seconds() if ahead >= slots else 0.0


def running_in_queue() -> QuerySet[Task]:
    """Return the tasks that workers are running."""
    return Task.objects.running().filter(mode=Task.Mode.QUEUE)


@cachetools.cached(cachetools.TTLCache(maxsize=1, ttl=SERVICE_TIME_CACHE_SECONDS), lock=threading.Lock())
def mean_service_seconds() -> float:
    """Return the seconds in which all workers together finish one task: the mean of the latest tasks."""
    return mean_work_seconds() / max(1, live_workers())


@cachetools.cached(cachetools.TTLCache(maxsize=1, ttl=SERVICE_TIME_CACHE_SECONDS), lock=threading.Lock())
def mean_work_seconds() -> float:
    """Return how many seconds the latest tasks took, without their waits for a render slot."""
    succeeded = Task.objects.filter(status=Task.Status.SUCCEEDED, finished_at__isnull=False)
    rows = succeeded.order_by("-finished_at").values_list("result", "started_at", "finished_at")[
        :RECENT_TASKS
    ]
    seconds = [
        (finished_at - started_at).total_seconds() if (took := measured_seconds(result)) is None else took
        for result, started_at, finished_at in rows
        if started_at and finished_at
    ]
    return sum(seconds) / len(seconds) if seconds else DEFAULT_SERVICE_SECONDS


def measured_seconds(result: Mapping[str, Any] | None) -> float | None:
    """Return how long a task took without its waits, or None if its result does not say."""
    return float(result["seconds"]) if result and "seconds" in result else None


@cachetools.cached(cachetools.TTLCache(maxsize=1, ttl=SERVICE_TIME_CACHE_SECONDS), lock=threading.Lock())
def workers_here_and_elsewhere() -> tuple[int, int]:
    """Return how many workers this machine has, and how many all others have; none while the queue is paused."""
    clusters = Cluster.objects.accepting()
    here = sum(cluster.workers for cluster in clusters if cluster.host == storage.host())
    return here, sum(cluster.workers for cluster in clusters) - here


def live_workers() -> int:
    """Return the number of workers of all live clusters; 0 while the queue is paused."""
    return int(Cluster.objects.accepting().aggregate(total=Sum("workers"))["total"] or 0)


def lag_seconds() -> float:
    """Return how many seconds the oldest task that is due has waited."""
    oldest = Task.objects.due().asked_for().aggregate(oldest=Min("claimable_at"))["oldest"]
    return max(0.0, (timezone.now() - oldest).total_seconds()) if oldest else 0.0


def wait_times() -> WaitTimes:
    """Return the waiting times in the queue, from the latest WAIT_SAMPLES tasks."""
    recent = Task.objects.asked_for().filter(mode=Task.Mode.QUEUE, finished_at__gt=timezone.now() - HOUR)
    pairs = recent.exclude(started_at=None).order_by("-finished_at").values_list("created_at", "started_at")
    waits = sorted((begun - created).total_seconds() for created, begun in pairs[:WAIT_SAMPLES] if begun)
    return WaitTimes(
        p50_seconds=percentile(waits, 0.5),
        p95_seconds=percentile(waits, 0.95),
        oldest_seconds=lag_seconds(),
    )


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return a percentile of ordered values by nearest rank, which is one of them; None without any."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def counts_by_status() -> dict[str, int]:
    """Return the number of tasks in each state: in flight now, ended in the last 24 hours."""
    in_flight = Task.objects.asked_for().in_flight().values_list("status").annotate(Count("pk"))
    ended_after = timezone.now() - DAY
    # One query each: grouped, SQLite reads the index of all tasks that have ever ended.
    ended = {
        status: Task.objects.asked_for().filter(status=status, finished_at__gt=ended_after).count()
        for status in Task.Status.values
        if status not in Task.IN_FLIGHT
    }
    return dict.fromkeys(Task.Status.values, 0) | dict(in_flight) | ended
