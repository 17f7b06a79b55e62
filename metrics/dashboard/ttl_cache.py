"""What is the same for every viewer is computed once and kept for a moment, in each process."""

import threading
import time
from collections.abc import Callable, Hashable


class Kept[T]:
    """Values by key, each computed by one thread while the others wait for it, and kept for some seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._values: dict[Hashable, tuple[float, T]] = {}

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return the value of a key."""
        with self._lock:
            known = self._values.get(key)
            if known is None or time.monotonic() - known[0] >= self._seconds:
                known = time.monotonic(), compute()
                self._values[key] = known
            return known[1]

    def forget(self) -> None:
        """Compute everything anew at the next question."""
        with self._lock:
            self._values.clear()
