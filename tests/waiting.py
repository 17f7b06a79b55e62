"""Waits for what must come true: long where a machine is busy, and no longer than it takes."""

import os
import time


def wait_for(condition, seconds=120.0):
    """Return the first true value of ``condition``; what takes long to compute is asked less often."""
    give_up_at, computed_seconds = time.monotonic() + seconds, time.thread_time()
    while not (value := condition()):
        assert time.monotonic() < give_up_at, "it never came true"
        time.sleep(0.05 + 2 * (time.thread_time() - computed_seconds))
        computed_seconds = time.thread_time()
    return value


def ageless(cached):
    """Return a block in which what a function has cached for some seconds does not age."""
    return cached.cache.timer


def promised(seconds):
    """Return a time that is promised for a machine with nothing else to do, for this one as busy as it may be.

    The load is that of the last minute, and says nothing of the neighbours of a virtual machine. So this tells what
    takes some seconds from what hangs; where a promise is about an order of events, a test asks for that order.
    """
    return 5 * seconds * (1 + os.getloadavg()[0] / (os.cpu_count() or 1))
