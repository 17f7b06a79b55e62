"""A reusable name for each process that counts, so that the number of files does not grow with process ids.

A name is leased by a file lock, which the kernel releases however the process ends. The next process continues the
counts of a process that was killed.
"""

import fcntl
import os
import threading
from pathlib import Path

MAX_SLOTS = 500

_lock = threading.Lock()
_held: tuple[int, str] | None = None


def folder() -> Path:
    """Return the folder of the counts of this host's processes."""
    return Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])


def slot_name() -> str:
    """Return the name of this process; lease the first free name after a start or a fork."""
    held = _held
    if held is None or held[0] != os.getpid():
        return _take()
    return held[1]


def _take() -> str:
    global _held  # noqa: PLW0603 (one process, one slot)
    with _lock:
        if _held is None or _held[0] != os.getpid():
            _held = _first_free()
        return _held[1]


def _first_free() -> tuple[int, str]:
    folder().mkdir(parents=True, exist_ok=True)
    for number in range(MAX_SLOTS):
        # Never closed: the lock is held until the process ends.
        descriptor = os.open(folder() / f"slot-{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            continue
        return os.getpid(), f"slot-{number}"
    raise RuntimeError(f"{MAX_SLOTS} processes count already in {folder()}")
