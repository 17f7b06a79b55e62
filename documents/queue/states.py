"""The present states of the tasks whose clients poll, read for all of them with one query."""

import functools
import threading
import time
import uuid
from collections.abc import Iterable

import cachetools

from documents.models import Task
from documents.queue import statistics
from metrics.durations import Monotonic

MAX_AGE_SECONDS = 0.25
# A task is read together with the others until nobody has asked for it for so long.
FORGOTTEN_AFTER_SECONDS = 5.0
MAX_TASKS = 2_000
# What the JSON of a task is made of, besides its position.
FIELDS = (
    *("kind", "document_id", "status", "mode", "routed_by", "attempts", "phase", "pages_done", "message"),
    *("result", "error", "fingerprint", "file", "started_at", "finished_at"),
)
STATUS = FIELDS.index("status")

# The values of FIELDS, and the position in the queue or None.
type State = tuple[object, ...]


class StateReader:
    """Reads the states of the tasks that were asked for lately; threads that ask at the same time share a query."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: cachetools.TTLCache[uuid.UUID, bool] = cachetools.TTLCache(
            MAX_TASKS, FORGOTTEN_AFTER_SECONDS
        )
        self._states: dict[uuid.UUID, State] = {}
        self._read_at: Monotonic = -MAX_AGE_SECONDS

    def current(self, task_id: uuid.UUID) -> State | None:
        """Return the state of a task, at most MAX_AGE_SECONDS old, or None if there is no such task."""
        with self._lock:
            is_new = task_id not in self._asked
            self._asked[task_id] = True
            if time.monotonic() - self._read_at > MAX_AGE_SECONDS:
                self._read_at = time.monotonic()
                self._states = _read(list(self._asked))
            elif is_new:
                self._states |= _read([task_id])
            return self._states.get(task_id)


def state_of(task: Task, position: int | None) -> State:
    """Return the state of a task as it was read, with the position that belongs to it."""
    return (*(getattr(task, name) for name in FIELDS), position)


def _read(task_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, State]:
    rows = Task.objects.filter(pk__in=task_ids).order_by().values_list("pk", *FIELDS)
    line = statistics.current_line()
    return {
        task_id: (*values, line.position_of(task_id) if values[STATUS] in Task.WAITING else None)
        for task_id, *values in rows
    }


@functools.cache
def reader() -> StateReader:
    """Return the reader of this process; made at first use."""
    return StateReader()
