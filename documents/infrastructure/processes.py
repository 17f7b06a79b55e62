"""What this process starts ends with it; free of Django, so that servers can use it before anything else."""

import contextlib
import ctypes
import gc
import os
import signal
import sys
from collections.abc import Iterable

import psutil

PR_SET_PDEATHSIG = 1
M_ARENA_MAX = -8
MAX_ARENAS = 2
_LIBC = ctypes.CDLL(None, use_errno=True)  # loaded here: a forked child must not load anything


def set_parent_death_signal() -> None:
    """Have the kernel end every process that this one forks as soon as its parent ends, killed or not."""
    os.register_at_fork(after_in_child=end_with_parent)


def end_with_parent() -> None:
    """Ask the kernel to kill this process when the thread that started it ends; does nothing except on Linux."""
    if sys.platform == "linux":
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def limit_malloc_arenas() -> None:
    """Let all threads take memory from two pools: glibc's one for each thread keeps what the busiest ever needed.

    To be called before the first thread starts; musl and macOS have no such pools.
    """
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, MAX_ARENAS)


def freeze_gc_before_fork() -> None:
    """Keep what is loaded out of the collector, whose marks would make each forked process copy all of it."""
    gc.collect()
    gc.freeze()


def kill_children() -> None:
    """Kill all that this process has started."""
    family = psutil.Process().children(recursive=True)
    for one in family:
        one.kill()
    psutil.wait_procs(family, timeout=5)


def worker_memory_bytes() -> dict[int, int]:
    """Return the resident memory of each worker of this cluster with its rendering process, by process id."""
    family = psutil.Process().children(recursive=True)
    children: dict[int, list[psutil.Process]] = {}
    for one in family:
        with contextlib.suppress(psutil.Error):
            children.setdefault(one.ppid(), []).append(one)
    # A worker is what has a rendering process, and nothing below that; helpers of the engine have no children.
    workers = [
        one for one in family if one.pid in children and not any(c.pid in children for c in children[one.pid])
    ]
    return {one.pid: _resident([one, *children[one.pid]]) for one in workers}


def _resident(family: Iterable[psutil.Process]) -> int:
    total = 0
    for one in family:
        with contextlib.suppress(psutil.Error):
            total += one.memory_info().rss
    return total
