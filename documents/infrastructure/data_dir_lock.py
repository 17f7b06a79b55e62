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


@contextlib.contextmanager
def backup_lock(folder: Path) -> Iterator[None]:
    """Mark a backup of a data folder as running in the block; on a disk without locks, do nothing."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            stack.enter_context(locks.exclusive(_backup_path(folder)))
        yield


def is_backup_running(folder: Path) -> bool:
    """Return True while a backup of a data folder is being made."""
    try:
        lock = locks.try_exclusive(_backup_path(folder))
    except OSError:  # a disk without locks
        return False
    if lock is not None:
        locks.release(lock)
    return lock is None


def _backup_path(folder: Path) -> Path:
    return folder / "run" / "backup.lock"


def _path(folder: Path) -> Path:
    return folder / "run" / "in-use.lock"
