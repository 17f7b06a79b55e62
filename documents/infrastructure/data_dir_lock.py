"""The lock of the data folder: web and workers share it, and a restore holds it exclusively."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from documents.infrastructure import locks


def hold_shared_lock(folder: Path) -> None:
    """Mark a data folder as in use until this process ends; waits for a restore that is running."""
    locks.hold_shared(_path(folder))


@contextlib.contextmanager
def exclusive_lock(folder: Path) -> Iterator[bool]:
    """Yield True if no process uses a data folder, and keep others from starting until the end of the block."""
    lock = locks.try_exclusive(_path(folder))
    try:
        yield lock is not None
    finally:
        if lock is not None:
            locks.release(lock)


def _path(folder: Path) -> Path:
    return folder / "run" / "in-use.lock"
