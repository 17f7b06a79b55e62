"""Waits for tasks to end: one thread of a process asks the database for all of its requests that wait."""

import functools
import logging
import threading
import time
import uuid
from collections.abc import Iterable

from django.db import DatabaseError, InterfaceError, connection

from documents.models import Task
from metrics.durations import Monotonic

POLL_INTERVAL_SECONDS = 0.1

logger = logging.getLogger(__name__)


class EndWatcher:
    """Wakes the threads that wait for tasks; its own thread runs only while any waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[uuid.UUID, set[threading.Event]] = {}
        self._is_watching = False

    def wait(self, task_id: uuid.UUID, *, deadline: Monotonic) -> None:
        """Return when the task has ended or was deleted, or ``deadline`` has passed."""
        ended = threading.Event()
        self._add(task_id, ended)
        try:
            ended.wait(max(0.0, deadline - time.monotonic()))
        finally:
            self._remove(task_id, ended)

    def _add(self, task_id: uuid.UUID, ended: threading.Event) -> None:
        with self._lock:
            self._waiting.setdefault(task_id, set()).add(ended)
            if not self._is_watching:
                threading.Thread(target=self._watch, name="end-watcher", daemon=True).start()
                self._is_watching = True

    def _remove(self, task_id: uuid.UUID, ended: threading.Event) -> None:
        with self._lock:
            self._waiting[task_id].discard(ended)
            if not self._waiting[task_id]:
                del self._waiting[task_id]

    def _watch(self) -> None:
        while task_ids := self._task_ids_or_stop():
            try:
                self._wake(set(task_ids) - _in_flight(task_ids))
            except (DatabaseError, InterfaceError) as error:
                logger.warning("the requests that wait for tasks wait for the database: %s", error)
                connection.close()
            time.sleep(POLL_INTERVAL_SECONDS)
        connection.close()

    def _task_ids_or_stop(self) -> list[uuid.UUID]:
        """Return the tasks that are waited for; without any, the next wait starts another thread."""
        with self._lock:
            self._is_watching = bool(self._waiting)
            return list(self._waiting)

    def _wake(self, ended_ids: Iterable[uuid.UUID]) -> None:
        with self._lock:
            for task_id in ended_ids:
                for ended in self._waiting.get(task_id, ()):
                    ended.set()


def _in_flight(task_ids: list[uuid.UUID]) -> set[uuid.UUID]:
    return set(Task.objects.in_flight().filter(pk__in=task_ids).values_list("pk", flat=True))


@functools.cache
def watcher() -> EndWatcher:
    """Return the watcher of this process; made at first use."""
    return EndWatcher()
