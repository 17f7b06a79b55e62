"""The lock of the data folder: those who work on it share it, a restore has it alone."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


def hold_shared_lock(folder: Path) -> None:
    """Say that this process works on a data folder until it ends; waits for a restore that goes on."""
    with contextlib.suppress(OSError):  # a disk without locks: then nobody can tell
        fcntl.flock(_lock_file(folder), fcntl.LOCK_SH)  # never closed; children that are forked hold it, too


@contextlib.contextmanager
def exclusive_lock(folder: Path) -> Iterator[bool]:
    """Say whether nobody works on a data folder, and let nobody begin meanwhile."""
    descriptor = _lock_file(folder)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_alone = True
    except BlockingIOError:
        is_alone = False
    try:
        yield is_alone
    finally:
        os.close(descriptor)


def _lock_file(folder: Path) -> int:
    path = folder / "run" / "in-use.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
