"""The kinds of task: each has a name, a title, and the function that does its work.

Independent of particular kinds; each registers itself when ``documents.tasks.autodiscover`` imports it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Self

from django.urls import reverse

from documents.models import Task, Viewer
from metrics.durations import Monotonic

PDF = "application/pdf"  # the media type of a file whose task row names none

type ReportProgress = Callable[[str, int], None]


class LeaseLost(Exception):
    """Raised in a running task that was cancelled, or whose lease expired and was taken over."""


class Reschedule(Exception):
    """Raised by a task function that has done part of its work, or waits for something: run it again later.

    It must have stored its progress, as the next run may happen in another process. The run does not count as
    an attempt. ``again_in_seconds`` is the shortest pause.
    """

    def __init__(self, again_in_seconds: float = 0.0) -> None:
        super().__init__(again_in_seconds)
        self.again_in_seconds = again_in_seconds


@dataclass(frozen=True, kw_only=True)
class TaskContext:
    """One run of a task: the argument of its function.

    ``report`` takes the phase and the number of pages (rows, mails) done so far; call it several times a second.
    It raises LeaseLost when the task was cancelled or taken away.
    """

    task: Task
    deadline: Monotonic
    report: ReportProgress


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """The file of a task in the result storage.

    ``name`` is its name there, ``digest`` its SHA-256; clients save it as ``filename``.
    """

    name: str
    digest: str
    size_bytes: int
    filename: str
    media_type: str = PDF

    @classmethod
    def of(cls, task: Task) -> Self | None:
        """Return the file of a task, or None if it has none."""
        metadata: dict[str, Any] = task.result or {}
        if not task.file or "bytes" not in metadata:
            return None
        return cls(
            name=task.file,
            digest=task.digest,
            size_bytes=metadata["bytes"],
            filename=metadata.get("filename") or PurePath(task.file).name,
            media_type=metadata.get("media_type", PDF),
        )

    def as_metadata(self) -> dict[str, object]:
        """Return the keys of ``Task.result`` that describe this file."""
        media_type = {} if self.media_type == PDF else {"media_type": self.media_type}
        return {"bytes": self.size_bytes, "filename": self.filename} | media_type


@dataclass(frozen=True, kw_only=True)
class TaskOutput:
    """The result of a task: its file, if there is one, and the keys that its kind adds to ``Task.result``."""

    fingerprint: str
    file: StoredFile | None = None
    metadata: dict[str, object] = field(default_factory=dict)
    message: str = ""

    def as_columns(self) -> dict[str, Any]:
        """Return the columns of the task that hold the file and its metadata."""
        if self.file is None:
            return {"file": "", "digest": "", "result": self.metadata}
        return {
            "file": self.file.name,
            "digest": self.file.digest,
            "result": self.file.as_metadata() | self.metadata,
        }


type TaskFunction = Callable[[TaskContext], TaskOutput]


type ResultUrl = Callable[[Task], str | None]

type MayReadFile = Callable[[Task, Viewer], bool]


def file_url(task: Task) -> str | None:
    """Return the usual address of a task's file."""
    return reverse("task-file", args=[task.pk])


@dataclass(frozen=True, kw_only=True)
class TaskType:
    """A kind of task.

    ``title`` is its name in the middle of a sentence: “PDF”, “export”. ``progress_unit`` is the plural of what
    ``TaskContext.report`` counts. ``result_url`` returns the address of a task's file, or None if it is not served.
    ``may_read_file`` returns True if a person who may see a task may read everything in its file now. Workers take a
    task that ``is_low_priority`` when no other task waits.
    """

    name: str
    title: str
    run: TaskFunction
    is_low_priority: bool = False
    progress_unit: str = "done"
    result_url: ResultUrl = file_url
    may_read_file: MayReadFile = lambda _task, _user: True


_task_types: dict[str, TaskType] = {}


def register(task_type: TaskType) -> None:
    """Register a kind of task under its name, in place of any other of that name."""
    _task_types[task_type.name] = task_type


def get_task_type(name: str) -> TaskType:
    """Return a kind by its name. Raises KeyError for one that is not registered."""
    return _task_types[name]


def low_priority_kinds() -> list[str]:
    """Return the kinds of task that run when no other task waits."""
    return [name for name, task_type in _task_types.items() if task_type.is_low_priority]


def is_low_priority(name: str) -> bool:
    """Return True if tasks of a kind come after all others; False for an unknown kind."""
    return name in _task_types and _task_types[name].is_low_priority


def title_of(name: str) -> str:
    """Return the title of a kind, or the name itself for an unknown kind."""
    return _task_types[name].title if name in _task_types else name


def titles() -> list[tuple[str, str]]:
    """Return the name and the title of each kind, in the order of the titles."""
    return sorted(
        ((name, kind.title) for name, kind in _task_types.items()), key=lambda pair: pair[1].lower()
    )


def progress_unit_of(name: str) -> str:
    """Return the plural of what a kind counts while it runs."""
    return _task_types[name].progress_unit if name in _task_types else "done"


def result_url(task: Task) -> str | None:
    """Return the address of a task's file, or None while it has none.

    A failed task may have a file too: a report of what was wrong.
    """
    if not task.has_ended or not task.file:
        return None
    return _task_types[task.kind].result_url(task) if task.kind in _task_types else file_url(task)


def may_read_file(task: Task, user: Viewer) -> bool:
    """Return True if a person may see a task, and read everything in its file, at this moment."""
    if not Task.objects.for_user(user).filter(pk=task.pk).exists():
        return False
    return task.kind not in _task_types or _task_types[task.kind].may_read_file(task, user)
