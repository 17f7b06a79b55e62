"""The shares of a web process's threads that requests may block: for inline renders, and to wait for the queue.

They add up to three quarters of the threads at most, so that a quarter always serves what is answered at once:
reads, health checks, and the statuses of tasks. The settings hold for the host: each of its web processes has a part.
"""

import contextlib
import functools
import threading
from collections.abc import Iterator

from django.conf import settings

from documents.infrastructure import processes


class Share(threading.BoundedSemaphore):
    """A number of threads of this process, and how many of them are held."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size

    @property
    def held(self) -> int:
        """The number of threads that hold a part of this share now."""
        return self.size - self._value


@functools.cache
def inline_slots() -> Share:
    """Return the slots of this process for tasks that run inline while the limits decide."""
    return Share(_part(settings.SPMS_INLINE_SLOTS))


@functools.cache
def inline_share() -> Share:
    """Return the threads of this process that may run a task inline, whatever the mode; at least one."""
    return Share(max(1, _part(settings.SPMS_WEB_THREADS) // 2))


@functools.cache
def waiting_share() -> Share:
    """Return the threads of this process that may wait for a task of the queue; none of fewer than four."""
    return Share(_part(settings.SPMS_WEB_THREADS) // 4)


@contextlib.contextmanager
def try_to_hold(share: Share) -> Iterator[bool]:
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


def _part(total: int) -> int:
    return processes.part_of_each(total, settings.SPMS_WEB_PROCESSES)
