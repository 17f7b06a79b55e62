"""Waits for tasks to end: one thread of a process asks the database for all of its requests that wait.

A wait also ends when the client that asked for it has left: a wait of a minute for nobody would hold a thread.
"""

import contextlib
import functools
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Set
from contextvars import ContextVar
from dataclasses import dataclass, field

from django.db import DatabaseError, InterfaceError, connection

from documents.infrastructure.sqlite_changes import data_version
from documents.models import Task
from metrics.durations import Monotonic

POLL_INTERVAL_SECONDS = 0.1
CLIENT_INTERVAL_SECONDS = 1.0

logger = logging.getLogger(__name__)

type HasLeft = Callable[[], bool]

# How to learn that the client of the current request has left.
_client_has_left: ContextVar[HasLeft] = ContextVar("client_has_left", default=lambda: False)


@contextlib.contextmanager
def waiting_for_client(has_left: HasLeft) -> Iterator[None]:
    """End waits that begin in the block when ``has_left``, called about once a second, returns True."""
    before = _client_has_left.set(has_left)
    try:
        yield
    finally:
        _client_has_left.reset(before)


@dataclass(frozen=True, eq=False)
class Wait:
    """One request that waits for a task."""

    has_left: HasLeft
    is_over: threading.Event = field(default_factory=threading.Event)


class EndWatcher:
    """Wakes the threads that wait for tasks; its own thread runs only while any waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[uuid.UUID, set[Wait]] = {}
        self._is_watching = False

    def wait(self, task_id: uuid.UUID, *, deadline: Monotonic) -> None:
        """Return when the task has ended or was deleted, its client has left, or ``deadline`` has passed."""
        wait = Wait(_client_has_left.get())
        self._add(task_id, wait)
        try:
            wait.is_over.wait(max(0.0, deadline - time.monotonic()))
        finally:
            self._remove(task_id, wait)

    def _add(self, task_id: uuid.UUID, wait: Wait) -> None:
        with self._lock:
            self._waiting.setdefault(task_id, set()).add(wait)
            if not self._is_watching:
                threading.Thread(target=self._watch, name="end-watcher", daemon=True).start()
                self._is_watching = True

    def _remove(self, task_id: uuid.UUID, wait: Wait) -> None:
        with self._lock:
            self._waiting[task_id].discard(wait)
            if not self._waiting[task_id]:
                del self._waiting[task_id]

    def _watch(self) -> None:
        in_flight, clients_checked_at = _InFlight(), 0.0
        while task_ids := self._task_ids_or_stop():
            try:
                self._wake(task_ids - in_flight.among(task_ids))
            except (DatabaseError, InterfaceError) as error:
                logger.warning("the requests that wait for tasks wait for the database: %s", error)
                connection.close()
                in_flight = _InFlight()
            if time.monotonic() - clients_checked_at > CLIENT_INTERVAL_SECONDS:
                self._end_waits_for_nobody()
                clients_checked_at = time.monotonic()
            time.sleep(POLL_INTERVAL_SECONDS)
        connection.close()

    def _task_ids_or_stop(self) -> Set[uuid.UUID]:
        """Return the tasks that are waited for; without any, the next wait starts another thread."""
        with self._lock:
            self._is_watching = bool(self._waiting)
            return set(self._waiting)

    def _wake(self, ended_ids: Iterable[uuid.UUID]) -> None:
        with self._lock:
            for task_id in ended_ids:
                for wait in self._waiting.get(task_id, ()):
                    wait.is_over.set()

    def _end_waits_for_nobody(self) -> None:
        with self._lock:
            waits = [wait for waits in self._waiting.values() for wait in waits]
        for wait in waits:
            if wait.has_left():
                wait.is_over.set()


class _InFlight:
    """The tasks in flight among those waited for; SQLite is asked again only after somebody has written."""

    def __init__(self) -> None:
        self._asked: tuple[int, Set[uuid.UUID]] | None = None
        self._in_flight: Set[uuid.UUID] = set()

    def among(self, task_ids: Set[uuid.UUID]) -> Set[uuid.UUID]:
        """Return those of the tasks that have not ended. Raises DatabaseError and InterfaceError."""
        version = data_version(connection)  # before the rows: what is written between the two is read twice
        if version is None or self._asked != (version, task_ids):
            self._in_flight = _in_flight(task_ids)
            self._asked = (version, task_ids) if version is not None else None
        return self._in_flight


def _in_flight(task_ids: Set[uuid.UUID]) -> set[uuid.UUID]:
    return set(Task.objects.in_flight().filter(pk__in=task_ids).values_list("pk", flat=True))


@functools.cache
def watcher() -> EndWatcher:
    """Return the watcher of this process; made at first use."""
    return EndWatcher()
