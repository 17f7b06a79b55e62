"""Locks on files between processes (flock): the kernel releases each when its process ends, killed or not."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


def hold_shared(path: Path) -> None:
    """Hold a shared lock until this process and all that it forks have ended; waits for an exclusive one."""
    with contextlib.suppress(OSError):  # a disk without locks
        fcntl.flock(_open(path), fcntl.LOCK_SH)  # never closed


def try_exclusive(path: Path) -> int | None:
    """Lock a file exclusively; return the descriptor for ``release``, or None while another process holds the lock.

    Raises OSError on a disk without locks.
    """
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            return None
        raise
    return descriptor


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold an exclusive lock in the block; waits until it is free. Raises OSError on a disk without locks."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def release(descriptor: int) -> None:
    """Release a lock of ``try_exclusive``."""
    os.close(descriptor)


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
