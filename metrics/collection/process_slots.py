"""A name for each process that counts, leased and used again, so that files do not grow with process ids.

The lease is a lock on a file, which the kernel gives back however the process ends: the next process goes on
with the counts of the one that was killed.
"""

import fcntl
import os
import threading
from pathlib import Path

MAX_SLOTS = 500

_lock = threading.Lock()
_held: tuple[int, str] | None = None


def folder() -> Path:
    """Return where this host's processes keep their counts."""
    return Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])


def slot_name() -> str:
    """Return the name that this process holds; takes the first free one after a start or a fork."""
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
