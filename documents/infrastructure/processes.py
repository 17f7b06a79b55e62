"""Limits for this process and its children; free of Django, so that servers can use it before anything else."""

import contextlib
import ctypes
import gc
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterable

import psutil

PR_SET_PDEATHSIG = 1
M_ARENA_MAX = -8
MAX_ARENAS = 2
_LIBC = ctypes.CDLL(None, use_errno=True)  # loaded here: a forked child must not load anything


def set_parent_death_signal() -> None:
    """Have the kernel kill every process that this one forks as soon as its parent ends, killed or not."""
    os.register_at_fork(after_in_child=end_with_parent)


def end_with_parent() -> None:
    """Ask the kernel to kill this process when the thread that started it ends; does nothing except on Linux."""
    if sys.platform == "linux":
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def detach_children_from_group() -> None:
    """Give every process that this one forks a process group of its own.

    A terminal, ``timeout`` and process managers signal a whole group at once: the children would end before they have
    finished their work.
    """
    os.register_at_fork(after_in_child=os.setpgrp)


def limit_malloc_arenas() -> None:
    """Make all threads share two malloc arenas: one per thread would each keep the most it ever needed.

    Call it before the first thread starts; musl and macOS have no arenas.
    """
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, MAX_ARENAS)


def limit_memory(memory_bytes: int) -> None:
    """Bound what this process may allocate, and write no core file when it is ended for it."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def limit_cpu(cpu_seconds: int) -> None:
    """Allow this process so much more computing time; past it the kernel ends it with SIGXCPU."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + cpu_seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


def freeze_gc_before_fork() -> None:
    """Exempt loaded objects from garbage collection, which would make each forked process copy them."""
    gc.collect()
    gc.freeze()


def part_of_each(total: int, process_count: int) -> int:
    """Return how many of a host's threads or slots each of its processes gets; at least one."""
    return max(1, total // process_count)


def kill_children() -> None:
    """Kill all child processes, and theirs."""
    descendants = psutil.Process().children(recursive=True)
    for process in descendants:
        process.kill()
    psutil.wait_procs(descendants, timeout=5)


def end_child(child: subprocess.Popen[bytes]) -> None:
    """Kill a child process, wait for it, and close its pipes."""
    child.kill()
    child.wait()
    for stream in (child.stdin, child.stdout):
        if stream:
            with contextlib.suppress(OSError):
                stream.close()


def worker_memory_bytes() -> dict[int, int]:
    """Return the resident bytes of each worker of this cluster with its rendering process, by process id."""
    descendants = psutil.Process().children(recursive=True)
    children: dict[int, list[psutil.Process]] = {}
    for process in descendants:
        with contextlib.suppress(psutil.Error):
            children.setdefault(process.ppid(), []).append(process)
    # A worker has a rendering process, which has no children; helpers of the engine have none at all.
    workers = [
        process
        for process in descendants
        if process.pid in children and not any(child.pid in children for child in children[process.pid])
    ]
    return {worker.pid: _resident_bytes([worker, *children[worker.pid]]) for worker in workers}


def _resident_bytes(processes: Iterable[psutil.Process]) -> int:
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total
