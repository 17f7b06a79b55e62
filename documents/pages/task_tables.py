"""The rows of the tables on the task pages."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from documents.models import Cluster, PeriodicTask, Task, host_of
from documents.queue import listings

# The share of a task that is done when a phase begins, and the share of the phase, measured with long documents.
PHASES = {
    "fetch": (0.0, 0.02),
    "html": (0.02, 0.03),
    "layout": (0.05, 0.75),
    "draw": (0.8, 0.17),
    "store": (0.97, 0.03),
}


@dataclass(frozen=True, kw_only=True)
class RunningTask:
    """A running task, its worker's name for people, and the share that is done, 0 to 1; None if it is unknown."""

    task: Task
    worker: str
    fraction: float | None


@dataclass(frozen=True, kw_only=True)
class WorkerRow:
    """A worker of a live cluster, its name for people, its resident memory, and the task that it runs."""

    name: str
    title: str
    memory_bytes: int
    task: Task | None


def running() -> list[RunningTask]:
    """Return the running tasks, longest first."""
    titles = worker_titles(Cluster.objects.live())
    return [
        RunningTask(
            task=task,
            worker=titles.get(task.worker, host_of(task.worker)),
            fraction=fraction(task.phase, task.pages_done, getattr(task, "last_pages", None)),
        )
        for task in listings.longest_running()
    ]


def fraction(phase: str, pages: int, last_pages: int | None) -> float | None:
    """Return the share of a task that is done, from 0 to 1; None if its length is unknown.

    ``last_pages`` is the length of the same document when it was last rendered.
    """
    if phase not in PHASES:
        return None
    begin, share = PHASES[phase]
    if phase not in {"layout", "draw"}:
        return begin
    return begin + share * min(1.0, pages / last_pages) if last_pages else None


def clusters() -> list[tuple[Cluster, list[WorkerRow]]]:
    """Return the live clusters with their workers."""
    tasks, live = listings.by_worker(), list(Cluster.objects.live())
    titles = worker_titles(live)
    return [
        (cluster, [_worker_row(process, titles, tasks) for process in cluster.processes]) for cluster in live
    ]


def _worker_row(
    process: Mapping[str, Any], titles: Mapping[str, str], tasks: Mapping[str, Task]
) -> WorkerRow:
    name = process["name"]
    return WorkerRow(
        name=name, title=titles[name], memory_bytes=process["memory_bytes"], task=tasks.get(name)
    )


def worker_titles(live: Iterable[Cluster]) -> dict[str, str]:
    """Return the names of workers for people, by their full names: the host, and a number on this host."""
    titles, counts = {}, Counter[str]()
    for cluster in live:
        for process in cluster.processes:
            host = host_of(process["name"])
            counts[host] += 1
            titles[process["name"]] = f"{host}, worker {counts[host]}"
    return titles


def schedules() -> list[tuple[PeriodicTask, Task | None]]:
    """Return the periodic tasks in the order of their next runs, each with the last task it began."""
    return [(schedule, listings.last_scheduled(schedule.kind)) for schedule in PeriodicTask.objects.all()]
