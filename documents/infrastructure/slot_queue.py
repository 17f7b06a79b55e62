"""The queue for the render slots of this machine: first come, first served, over all processes.

A ticket is a named pipe in the queue's folder; its file name is its place, by the time of its request on the clock that
all processes share. Its process keeps the pipe open as long as it waits or renders. So a pipe that cannot be opened for
writing belongs to a process that died, and a byte written to one wakes its process.
"""

import contextlib
import enum
import errno
import itertools
import os
import select
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from documents import exceptions
from documents.infrastructure import locks, storage
from metrics.durations import Monotonic

# How often a waiting ticket looks for holders that died, who wake nobody, and for a claim that was taken away.
TICK_INTERVAL_SECONDS = 1.0
# What comes waits to be prepared; it holds up nobody who waits for a slot.
COMING, WAITING, HOLDING = "coming-", "waiting-", "holding-"
RENDER_SLOTS = "slots"  # the folder of the tickets, below that of this machine's processes

_ticket_numbers = itertools.count()


class Priority(enum.IntEnum):
    """By how many seconds a turn is postdated: what is requested later may overtake it for that long, not longer."""

    REQUEST = 0
    QUEUE = 2
    BACKGROUND = 30


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What the place in the queue depends on: the priority, and when the work was requested.

    So a task that waited for a worker comes before what was requested after it, as if it had waited here.
    """

    priority: Priority
    requested_at: Monotonic = field(default_factory=time.monotonic)

    @property
    def at_ns(self) -> int:
        """The place, in nanoseconds of the clock."""
        return max(0, int((self.requested_at + self.priority) * 1_000_000_000))


def render_slots_folder() -> Path:
    """Return the folder of the tickets for this machine's render slots."""
    return storage.run_folder() / RENDER_SLOTS


@contextlib.contextmanager
def acquire_slot(
    folder: Path, count: int, *, turn: Turn, deadline: Monotonic, tick: Callable[[], None]
) -> Iterator[None]:
    """Hold one of ``count`` slots in the block; when this process dies, the slot is free at once.

    Calls ``tick`` while it waits. Raises RenderBusy after ``deadline``, and StorageFull and StorageUnavailable if
    the ticket cannot be written.
    """
    with _ticket(folder, turn) as (place, pipe), _given_back(folder, place, count):
        _wait_until(lambda: _try_enter(folder, place, count), pipe, deadline=deadline, tick=tick)
        yield


def wait_until_near(
    folder: Path, count: int, *, turn: Turn, deadline: Monotonic, tick: Callable[[], None]
) -> None:
    """Wait until fewer than ``count`` others come or wait ahead: then what a render needs should be prepared.

    Raises the errors of ``acquire_slot``.
    """
    with _ticket(folder, turn, COMING) as (place, pipe):
        _wait_until(lambda: _is_near(folder, place, count), pipe, deadline=deadline, tick=tick)


def count_tickets(folder: Path, *, of_others: bool = False) -> int:
    """Return how many hold a slot, or wait for one or to be near, and remove the tickets of processes that died."""
    own = f"-{os.getpid()}-" if of_others else "\0"
    try:
        return sum(own not in place for place in _live(folder, COMING, WAITING, HOLDING))
    except OSError:  # it cannot be read: the render itself reports that
        return 0


@contextlib.contextmanager
def _ticket(folder: Path, turn: Turn, state: str = WAITING) -> Iterator[tuple[str, int]]:
    """Put a ticket into the queue; yield its place and the descriptor of its pipe."""
    place = f"{turn.at_ns:020d}-{os.getpid()}-{next(_ticket_numbers)}"
    with storage.translate_storage_errors():
        folder.mkdir(parents=True, exist_ok=True)
        # Until it is open, a pipe looks like one of a process that died: so it gets its name afterwards.
        unopened = folder / f"new-{place}"
        os.mkfifo(unopened, 0o600)
        # A pipe opened to read only would be ready for ever after its first writer closed it.
        pipe = os.open(unopened, os.O_RDWR | os.O_NONBLOCK)
        unopened.rename(folder / f"{state}{place}")
    try:
        yield place, pipe
    finally:
        os.close(pipe)
        # Again, without the lock, whose file a full disk refuses.
        with contextlib.suppress(OSError):
            _remove(folder, place)


@contextlib.contextmanager
def _given_back(folder: Path, place: str, count: int) -> Iterator[None]:
    """Remove the ticket at the end of the block, and wake those that can enter then."""
    try:
        yield
    finally:
        with contextlib.suppress(OSError), _locked(folder):
            _remove(folder, place)
            _wake(folder, WAITING, count=_count_free(folder, count))


def _remove(folder: Path, place: str) -> None:
    for state in (COMING, WAITING, HOLDING):
        (folder / f"{state}{place}").unlink(missing_ok=True)


def _try_enter(folder: Path, place: str, count: int) -> bool:
    """Turn a waiting ticket into one that holds a slot, if as many slots are free as its turn needs.

    Wake those that are near then.
    """
    with storage.translate_storage_errors(), _locked(folder):
        may_enter = itertools.islice(_live(folder, WAITING), _count_free(folder, count))
        if is_next := place in may_enter:
            (folder / f"{WAITING}{place}").rename(folder / f"{HOLDING}{place}")
            _wake(folder, COMING, WAITING, count=count)
    return is_next


def _is_near(folder: Path, place: str, count: int) -> bool:
    with storage.translate_storage_errors():
        return place in itertools.islice(_live(folder, COMING, WAITING), count)


def _wake(folder: Path, *states: str, count: int) -> None:
    for _ in itertools.islice(_live(folder, *states, wake=True), count):
        pass


def _wait_until(
    is_over: Callable[[], bool], pipe: int, *, deadline: Monotonic, tick: Callable[[], None]
) -> None:
    while not is_over():
        seconds_left = deadline - time.monotonic()
        if seconds_left <= 0:
            raise exceptions.RenderBusy("Other PDFs are being rendered. Try again in a few seconds.")
        tick()
        _wait(pipe, min(TICK_INTERVAL_SECONDS, seconds_left))


def _wait(pipe: int, max_seconds: float) -> None:
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    if poll.poll(max_seconds * 1000):
        os.read(pipe, 4096)


def _count_free(folder: Path, count: int) -> int:
    return max(0, count - sum(1 for _ in _live(folder, HOLDING)))


def _live(folder: Path, *states: str, wake: bool = False) -> Iterator[str]:
    """Yield the places of the tickets in these states, in order, and remove those of processes that died."""
    paths = [path for state in states for path in folder.glob(f"{state}*")]
    for path in sorted(paths, key=_place):
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno not in {errno.ENXIO, errno.ENOENT}:
                raise
            path.unlink(missing_ok=True)
            continue
        with contextlib.suppress(BlockingIOError):  # full: it has been woken often enough
            if wake:
                os.write(descriptor, b".")
        os.close(descriptor)
        yield _place(path)


def _place(ticket: Path) -> str:
    return ticket.name.partition("-")[2]


def _locked(folder: Path) -> contextlib.AbstractContextManager[None]:
    return locks.exclusive(folder / "lock")
