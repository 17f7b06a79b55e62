"""The shares of a web process's threads that requests may block: for inline renders, and to wait for the queue.

They add up to three quarters of the threads at most, so that a quarter always serves what is answered at once:
reads, health checks, and the statuses of tasks.
"""

import contextlib
import functools
import threading
from collections.abc import Iterator

from django.conf import settings


@functools.cache
def inline_slots() -> threading.BoundedSemaphore:
    """Return the slots of this process for tasks that run inline while the limits decide."""
    return threading.BoundedSemaphore(settings.SPMS_INLINE_SLOTS)


@functools.cache
def inline_share() -> threading.BoundedSemaphore:
    """Return the threads of this process that may run a task inline, whatever the mode; at least one."""
    return threading.BoundedSemaphore(max(1, settings.SPMS_WEB_THREADS // 2))


@functools.cache
def waiting_share() -> threading.BoundedSemaphore:
    """Return the threads of this process that may wait for a task of the queue; none of fewer than four."""
    return threading.BoundedSemaphore(settings.SPMS_WEB_THREADS // 4)


@contextlib.contextmanager
def try_to_hold(share: threading.Semaphore) -> Iterator[bool]:
    """Hold one of a share in the block if one is free; yield whether it is held."""
    is_held = share.acquire(blocking=False)
    try:
        yield is_held
    finally:
        if is_held:
            share.release()


def clear_caches() -> None:
    """Forget the shares; the next request makes them from the settings."""
    for share in (inline_slots, inline_share, waiting_share):
        share.cache_clear()
