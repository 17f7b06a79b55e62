"""The request for a task, as a kind of task describes it and the queue takes it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from documents.models import Document, Task


def _ignore(task: Task) -> None:
    """Do nothing when a task begins."""


@dataclass(frozen=True, kw_only=True)
class TaskRequest:
    """The request for a task of one kind.

    Two requests of a kind with the same ``fingerprint`` share one task while it is in flight, so ``arguments``
    and ``source`` (the name of an input file in the result storage) must be part of the fingerprint.
    ``estimate_seconds`` is the expected running time. ``on_begin`` receives the task, new or joined, in the
    transaction that begins it; an error that it raises rolls the transaction back.
    """

    kind: str
    fingerprint: str
    document: Document | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    estimate_seconds: float = 0.0
    on_begin: Callable[[Task], None] = _ignore
