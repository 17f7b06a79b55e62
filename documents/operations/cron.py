"""Cron expressions in the time zone of the agency, and the rows that have one: the only scheduler.

An expression names times of the local clock. A time that the clock skips runs once, when the clock has moved on;
a time that the clock shows twice runs the first time only.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import dropwhile, pairwise

from cronsim import CronSim, CronSimError
from django.db.models import QuerySet
from django.utils import timezone

from documents.exceptions import InvalidCronExpression
from documents.models.schedules import CronSchedule

MIN_INTERVAL = timedelta(minutes=10)
MAX_CHARACTERS = 100
MAX_TIMES_CHECKED = 50


def next_after(expression: str, after: datetime) -> datetime | None:
    """Return the first match after ``after`` (aware, in local time), or None if there is none.

    Raises InvalidCronExpression.
    """
    # The library goes by the local clock: while an hour is repeated, it names times that are over.
    instant = after.astimezone(UTC)
    return next(dropwhile(lambda at: at.astimezone(UTC) <= instant, _times(expression, after)), None)


def claim_due[Row: CronSchedule](schedules: QuerySet[Row]) -> Iterator[tuple[Row, datetime]]:
    """Yield each schedule that is due with the time for which it was due, once however many clusters ask.

    Its next run is set before it is yielded; missed times are caught up by one run.
    """
    now = timezone.localtime()
    for schedule in schedules.filter(next_run_at__lte=now):
        due_at = schedule.next_run_at
        unchanged = schedules.filter(pk=schedule.pk, next_run_at=due_at)
        if due_at and unchanged.update(next_run_at=next_after(schedule.cron, now)):
            yield schedule, due_at


def validate(expression: str, now: datetime) -> None:
    """Raise InvalidCronExpression unless the expression matches, and at most every ten minutes."""
    # UTC has no gaps, so the answer does not depend on the day on which the clock changes.
    times = _first_times(expression, now.replace(tzinfo=UTC))
    if not times:
        raise InvalidCronExpression(f"“{expression}” names a time that never comes; choose another day.")
    for earlier, later in pairwise(times):
        if later - earlier < MIN_INTERVAL:
            raise InvalidCronExpression("A schedule may run at most every ten minutes; name fewer times.")


def _first_times(expression: str, now: datetime) -> list[datetime]:
    return [at for at, _ in zip(_times(expression, now), range(MAX_TIMES_CHECKED), strict=False)]


def _times(expression: str, after: datetime) -> Iterator[datetime]:
    if len(expression) > MAX_CHARACTERS:
        raise InvalidCronExpression(f"A cron expression has at most {MAX_CHARACTERS} characters; shorten it.")
    fields = expression.split()
    if len(fields) != 5:
        raise InvalidCronExpression(
            "A cron expression has five parts: minute hour day month weekday, such as 0 7 * * MON."
        )
    try:
        return CronSim(" ".join(_without_stars(fields)).upper(), after)
    except CronSimError as error:
        raise InvalidCronExpression(f"“{expression}” cannot be read: {str(error).lower()}.") from error


def _without_stars(fields: list[str]) -> list[str]:
    """Return the fields with the minutes and hours of a star written out.

    Like Debian's cron, the library follows the clock only for expressions that begin with a star in neither field.
    """
    minute, hour, *day = fields
    return [_written_out(minute, "0-59"), _written_out(hour, "0-23"), *day]


def _written_out(field: str, span: str) -> str:
    return span + field[1:] if field.startswith("*") else field
