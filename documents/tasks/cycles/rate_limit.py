"""How many letters may be sent now: ten seconds' worth at a time. Pure: the clock is an argument.

What was sent in a window is counted from the letters themselves, so a worker that dies forgets nothing.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

WINDOWS_PER_MINUTE = 6


@dataclass(frozen=True, kw_only=True)
class Window:
    """A piece of time in which ``size`` letters may be sent."""

    began_at: datetime
    ends_at: datetime
    size: int


def current_window(per_minute: int, now: datetime) -> Window:
    """Return the window of this moment for a limit of letters in a minute (above zero).

    The windows of a limit follow each other without a gap, so that on average the limit is never passed.
    """
    size = math.ceil(per_minute / WINDOWS_PER_MINUTE)
    seconds = 60 * size / per_minute
    number = now.timestamp() // seconds
    began_at = datetime.fromtimestamp(number * seconds, UTC)
    return Window(began_at=began_at, ends_at=began_at + timedelta(seconds=seconds), size=size)
