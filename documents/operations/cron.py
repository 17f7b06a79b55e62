"""Cron expressions: when something comes next, in the zone of the agency."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from cronsim import CronSim, CronSimError

from documents.exceptions import CronRefused

SHORTEST = timedelta(minutes=10)
LOOKED_AT = 50


def following(expression: str, after: datetime) -> datetime | None:
    """Return the first time after ``after`` (aware, in local time), or None when it never comes.

    An hour that a change of the clock leaves out or repeats is used once. Raises CronRefused.
    """
    return next(_times(expression, after), None)


def require_sensible(expression: str, now: datetime) -> None:
    """Raise CronRefused for an expression that is none, never comes, or comes more often than every ten minutes."""
    found = _some(expression, now)
    if not found:
        raise CronRefused(f"“{expression}” names a time that never comes; choose another day.")
    for earlier, later in pairwise(found):
        if later - earlier < SHORTEST:
            raise CronRefused("A report is made at most every ten minutes; name fewer times.")


def _some(expression: str, now: datetime) -> list[datetime]:
    return [at for at, _ in zip(_times(expression, now), range(LOOKED_AT), strict=False)]


def _times(expression: str, after: datetime) -> Iterator[datetime]:
    fields = expression.split()
    if len(fields) != 5:
        raise CronRefused(
            "A cron expression has five parts: minute hour day month weekday, such as 0 7 * * MON."
        )
    try:
        return CronSim(" ".join(fields).upper(), after)
    except CronSimError as error:
        raise CronRefused(f"“{expression}” cannot be read: {str(error).lower()}.") from error
