"""Limit how many renders run at once on this machine, in all processes: a lock file for each slot."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from documents import exceptions
from documents.infrastructure import locks, storage
from metrics.durations import Monotonic

POLL_INTERVAL_SECONDS = 0.02


@contextlib.contextmanager
def acquire_slot(folder: Path, count: int, *, deadline: Monotonic, tick: Callable[[], None]) -> Iterator[int]:
    """Hold one of ``count`` slots and yield its number; the kernel releases it if this process dies.

    Calls ``tick`` while it waits. Raises RenderBusy after ``deadline``, and StorageFull and StorageUnavailable if
    the lock files cannot be written.
    """
    while (slot := _try_acquire(folder, count)) is None:
        if time.monotonic() > deadline:
            raise exceptions.RenderBusy("Other PDFs are being rendered. Try again in a few seconds.")
        tick()
        time.sleep(POLL_INTERVAL_SECONDS)
    number, lock = slot
    try:
        yield number
    finally:
        locks.release(lock)


def _try_acquire(folder: Path, count: int) -> tuple[int, int] | None:
    """Return the number of a free slot and its lock, or None while all are taken."""
    for number in range(count):
        with storage.translate_storage_errors():
            lock = locks.try_exclusive(folder / f"slot-{number}")
        if lock is not None:
            return number, lock
    return None
