"""The rate limit of letters, in windows of about ten seconds. Pure: the clock is an argument.

The letters of a window are counted from their rows, so the count survives a worker that dies.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

WINDOWS_PER_MINUTE = 6


@dataclass(frozen=True, kw_only=True)
class Window:
    """A period in which ``size`` letters may be sent."""

    began_at: datetime
    ends_at: datetime
    size: int


def current_window(per_minute: int, now: datetime) -> Window:
    """Return the window that contains ``now`` for a limit of letters per minute (above zero).

    Windows follow each other without gaps, so the average never exceeds the limit.
    """
    size = math.ceil(per_minute / WINDOWS_PER_MINUTE)
    seconds = 60 * size / per_minute
    number = now.timestamp() // seconds
    began_at = datetime.fromtimestamp(number * seconds, UTC)
    return Window(began_at=began_at, ends_at=began_at + timedelta(seconds=seconds), size=size)
