"""What a kind of task is: a name, a title, and the function that does its work.

Free of any knowledge about particular kinds; each registers itself when the app is ready.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from documents.models import Task

type ReportProgress = Callable[[str, int], None]


class LeaseLost(Exception):
    """The task was taken away (lapsed lease, cancelled) while it ran."""


class Reschedule(Exception):
    """Raised by a handler that has done a part of its work, or waits for something: call it again later.

    What is done must be stored: the next call may happen in another process. It counts as no attempt.
    """

    def __init__(self, again_in_seconds: float = 0.0) -> None:
        super().__init__(again_in_seconds)
        self.again_in_seconds = again_in_seconds


@dataclass(frozen=True, kw_only=True)
class TaskContext:
    """One run of a task: what its handler gets.

    ``deadline`` is in seconds of ``time.monotonic``; ``report`` takes the phase and the pages (rows, mails) done
    so far, is to be called several times a second, and raises ClaimLost when the work is no longer wanted.
    """

    task: Task
    deadline: float
    report: ReportProgress


@dataclass(frozen=True, kw_only=True)
class TaskOutput:
    """What a handler made: a file in the result storage and the facts about it.

    A file that is sent by ``tasks/{task_id}/file/`` has ``bytes``, ``filename`` and ``media_type`` among its facts.
    """

    file: str = ""
    digest: str = ""
    fingerprint: str
    facts: dict[str, object] = field(default_factory=dict)
    message: str = ""


type TaskFunction = Callable[[TaskContext], TaskOutput]


@dataclass(frozen=True, kw_only=True)
class TaskType:
    """A kind of task. ``title`` is what people read, as in the middle of a sentence: “PDF”, “export”.

    Nobody waits for one that ``is_low_priority``: workers take it when no other task waits.
    """

    name: str
    title: str
    run: TaskFunction
    is_low_priority: bool = False


_task_types: dict[str, TaskType] = {}


def register(name: str, title: str, run: TaskFunction, *, is_low_priority: bool = False) -> None:
    """Let tasks of a kind be run."""
    _task_types[name] = TaskType(name=name, title=title, run=run, is_low_priority=is_low_priority)


def get_task_type(name: str) -> TaskType:
    """Return a kind by its name; raises KeyError for one that nobody registered."""
    return _task_types[name]


def is_low_priority(name: str) -> bool:
    """Say whether tasks of a kind come after all others; an unknown one does not."""
    return name in _task_types and _task_types[name].is_low_priority


def title_of(name: str) -> str:
    """Return what people read for a kind; an unknown one is its own title."""
    return _task_types[name].title if name in _task_types else name
