"""Admits requests of one kind one after the other, so that a crowd of them leaves others the interpreter.

A process computes for one thread at a time. Forty requests that share it all end late, hold all threads until then,
and whoever only wants to read waits behind them; one after the other, most of them end much earlier.
"""

import contextlib
import threading
from collections.abc import Iterator

# Whoever waits for the database keeps its turn: after this time, the next request goes on beside it.
MAX_WAIT_SECONDS = 2.0

_thread = threading.local()


class Gate:
    """Admits the requests of one kind."""

    def __init__(self) -> None:
        self._turn = threading.Lock()

    @contextlib.contextmanager
    def admitted(self) -> Iterator[None]:
        """Have the turn in the block, or until ``leave``; go on without it after MAX_WAIT_SECONDS."""
        _thread.turn = self._turn if self._turn.acquire(timeout=MAX_WAIT_SECONDS) else None
        try:
            yield
        finally:
            leave()


def leave() -> None:
    """Let the next request have the turn, if this thread has one: call it before this thread waits."""
    if (turn := getattr(_thread, "turn", None)) is not None:
        _thread.turn = None
        turn.release()
