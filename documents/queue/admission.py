"""Admits the requests that begin PDFs one after the other, so that a burst of them leaves others the interpreter.

A process computes for one thread at a time. Forty requests that share it all end late, hold all threads until then,
and whoever only wants to read waits behind them; one after the other, most of them end much earlier.
"""

import contextlib
import threading
from collections.abc import Iterator

# A request that waits for the database keeps its turn: the others then go on beside it.
MAX_WAIT_SECONDS = 2.0

_turn = threading.Lock()
_thread = threading.local()


@contextlib.contextmanager
def admitted() -> Iterator[None]:
    """Take the turn of this process for the block, or until ``leave``; go on without it after MAX_WAIT_SECONDS."""
    _thread.has_turn = _turn.acquire(timeout=MAX_WAIT_SECONDS)
    try:
        yield
    finally:
        leave()


def leave() -> None:
    """Let the next request have the turn, if this thread has it: call it before this thread waits."""
    if getattr(_thread, "has_turn", False):
        _thread.has_turn = False
        _turn.release()
