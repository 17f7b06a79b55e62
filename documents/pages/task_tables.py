"""The rows of the tables on the task pages."""

from dataclasses import dataclass

from documents.models import Cluster, PeriodicTask, Task
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
    """A running task, and the share of it that is done, from 0 to 1; None if its length is unknown."""

    task: Task
    fraction: float | None


@dataclass(frozen=True, kw_only=True)
class WorkerRow:
    """A worker of a live cluster, its resident memory, and the task that it runs."""

    name: str
    memory_bytes: int
    task: Task | None


def running() -> list[RunningTask]:
    """Return the running tasks, longest first."""
    return [
        RunningTask(
            task=task, fraction=fraction(task.phase, task.pages_done, getattr(task, "last_pages", None))
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
    tasks = listings.by_worker()
    return [
        (cluster, [WorkerRow(**process, task=tasks.get(process["name"])) for process in cluster.processes])
        for cluster in Cluster.objects.live()
    ]


def schedules() -> list[tuple[PeriodicTask, Task | None]]:
    """Return the periodic tasks in the order of their next runs, each with the last task it began."""
    return [(schedule, listings.last_scheduled(schedule.kind)) for schedule in PeriodicTask.objects.all()]
