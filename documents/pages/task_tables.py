"""What the task pages show, read in a few cheap questions however many tasks there are."""

import functools
import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, IntegerField, Max, OuterRef, Q, Subquery
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from documents.models import Cluster, Document, PeriodicTask, Task, TaskQuerySet
from documents.queue import failure_groups

PAGE_SIZE = 50
WAIT_SAMPLES = 500
MAX_FAILED = 2000
MAX_MATCHES = 500
HOUR, DAY, MONTH = timedelta(hours=1), timedelta(days=1), timedelta(days=30)
# How far a task is when a phase begins, and the share that the phase takes, by experience with long documents.
PHASES = {
    "fetch": (0.0, 0.02),
    "html": (0.02, 0.03),
    "layout": (0.05, 0.75),
    "draw": (0.8, 0.17),
    "store": (0.97, 0.03),
}


@dataclass(frozen=True, kw_only=True)
class WaitTimes:
    """How long the tasks that were taken in the last hour had waited, and how long the oldest waits now; seconds."""

    p50_seconds: float | None
    p95_seconds: float | None
    oldest_seconds: float


@dataclass(frozen=True, kw_only=True)
class RunningTask:
    """A task that runs, and the share of it that is done, 0 to 1, when that can be told."""

    task: Task
    fraction: float | None


@dataclass(frozen=True, kw_only=True)
class WorkerRow:
    """A worker of a live cluster, what it takes of memory, and the task that it runs."""

    name: str
    memory_bytes: int
    task: Task | None


@dataclass(frozen=True, kw_only=True)
class TaskPage:
    """A page of tasks, newest first; ``older`` is where the next one begins."""

    tasks: Sequence[Task]
    older: str


def tasks() -> TaskQuerySet:
    """Return tasks with all that a row of a table shows."""
    return Task.objects.select_related("document__project", "requested_by").defer(
        "document__sections", "result"
    )


def running() -> list[RunningTask]:
    """Return the running tasks, longest first."""
    same = Task.objects.filter(
        document=OuterRef("document"), kind=OuterRef("kind"), status=Task.Status.SUCCEEDED
    )
    pages = Cast(KeyTextTransform("pages", "result"), IntegerField())
    last_pages = Subquery(same.order_by("-finished_at").values(pages=pages)[:1])
    running_tasks = tasks().running().annotate(last_pages=last_pages).order_by("started_at")
    return [
        RunningTask(
            task=task, fraction=fraction(task.phase, task.pages_done, getattr(task, "last_pages", None))
        )
        for task in running_tasks[:PAGE_SIZE]
    ]


def fraction(phase: str, pages: int, last_pages: int | None) -> float | None:
    """Return the share of a task that is done, 0 to 1; None when its length is not known."""
    if phase not in PHASES:
        return None
    begin, share = PHASES[phase]
    if phase not in {"layout", "draw"}:
        return begin
    return begin + share * min(1.0, pages / last_pages) if last_pages else None


def waits(oldest_seconds: float) -> WaitTimes:
    """Return the waiting times."""
    recent = Task.objects.filter(mode=Task.Mode.QUEUE, finished_at__gt=timezone.now() - HOUR)
    pairs = recent.exclude(started_at=None).order_by("-finished_at").values_list("created_at", "started_at")
    waited = sorted((taken - asked).total_seconds() for asked, taken in pairs[:WAIT_SAMPLES] if taken)
    return WaitTimes(
        p50_seconds=_quantile(waited, 0.5), p95_seconds=_quantile(waited, 0.95), oldest_seconds=oldest_seconds
    )


def _quantile(ordered: Sequence[float], q: float) -> float | None:
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)] if ordered else None


def clusters() -> list[tuple[Cluster, list[WorkerRow]]]:
    """Return the live clusters with their workers."""
    busy = {task.worker: task for task in tasks().running().filter(mode=Task.Mode.QUEUE)[:PAGE_SIZE]}
    return [
        (cluster, [WorkerRow(**process, task=busy.get(process["name"])) for process in cluster.processes])
        for cluster in Cluster.objects.live()
    ]


def failed_groups() -> list[failure_groups.FailureGroup]:
    """Return the failed tasks of the last thirty days by what went wrong; the newest 2,000 are looked at."""
    failed = Task.objects.filter(status=Task.Status.FAILED, finished_at__gt=timezone.now() - MONTH)
    totals = failed.aggregate(count=Count("pk"), newest=Max("finished_at"))
    return _groups(totals["count"], totals["newest"])


@functools.lru_cache(maxsize=1)
def _groups(count: int, newest: datetime | None) -> list[failure_groups.FailureGroup]:
    """Return the groups; the page asks for them every other second, and they change with these two only."""
    failed = Task.objects.filter(status=Task.Status.FAILED).order_by("-finished_at")
    return failure_groups.group_failures(
        failed.values_list("pk", "kind", "error", "finished_at")[: min(count, MAX_FAILED)]
    )


def counts() -> dict[str, int]:
    """Return how many tasks are in each state: in flight now, ended in the last 24 hours."""
    in_flight = Task.objects.in_flight().values_list("status").annotate(Count("pk"))
    ended_at = timezone.now() - DAY
    # One question each: grouped, SQLite reads the index of all that ever ended.
    ended = {
        status: Task.objects.filter(status=status, finished_at__gt=ended_at).count()
        for status in Task.Status.values
        if status not in Task.IN_FLIGHT
    }
    return dict.fromkeys(Task.Status.values, 0) | dict(in_flight) | ended


def schedules() -> list[tuple[PeriodicTask, Task | None]]:
    """Return the periodic tasks, each with the last task it began."""
    return [
        (
            schedule,
            Task.objects.filter(kind=schedule.kind, fingerprint=schedule.kind)
            .order_by("-created_at")
            .first(),
        )
        for schedule in PeriodicTask.objects.all()
    ]


def listing(filters: dict[str, Any], before: str) -> TaskPage:
    """Return the newest tasks that match, or those older than ``before``."""
    matching = tasks().filter(
        **{name: filters[name] for name in ("status", "kind", "mode") if filters.get(name)}
    )
    if filters.get("q"):
        matching = matching.filter(filter_tasks(filters["q"]))
    if (limit := _datetime(before)) is not None:
        matching = matching.filter(created_at__lt=limit)
    listed = list(matching.order_by("-created_at")[: PAGE_SIZE + 1])
    return TaskPage(
        tasks=listed[:PAGE_SIZE],
        older=listed[PAGE_SIZE - 1].created_at.isoformat() if len(listed) > PAGE_SIZE else "",
    )


def filter_tasks(text: str) -> Q:
    """Return the condition for tasks with this id, of such a document, or asked for by such a person."""
    try:
        return Q(pk=uuid.UUID(text))
    except ValueError:
        pass
    in_project = Q(project__tag__icontains=text) | Q(project__title__icontains=text)
    documents = Document.objects.filter(in_project | Q(kind__icontains=text.replace(" ", "_")))
    people = User.objects.filter(Q(username__icontains=text) | Q(last_name__icontains=text))
    return Q(document__in=list(documents.values_list("pk", flat=True)[:MAX_MATCHES])) | Q(
        requested_by__in=list(people.values_list("pk", flat=True)[:MAX_MATCHES])
    )


def _datetime(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return moment if moment and timezone.is_aware(moment) else None
