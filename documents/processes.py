"""What this process starts ends with it; free of Django, so that servers can use it before anything else."""

import ctypes
import os
import signal
import sys

import psutil

PR_SET_PDEATHSIG = 1


def die_with_the_main_process() -> None:
    """Have the kernel end every process that this one forks as soon as its parent ends, killed or not."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        os.register_at_fork(after_in_child=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))


def end_children() -> None:
    """Kill all that this process has started."""
    family = psutil.Process().children(recursive=True)
    for one in family:
        one.kill()
    psutil.wait_procs(family, timeout=5)
