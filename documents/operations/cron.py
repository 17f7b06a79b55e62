"""Cron expressions in the time zone of the agency, and the rows that have one: the only scheduler."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

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

    An hour that a DST change skips or repeats matches once. Raises InvalidCronExpression.
    """
    return next(_times(expression, after), None)


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
    times = _first_times(expression, now)
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
        return CronSim(" ".join(fields).upper(), after)
    except CronSimError as error:
        raise InvalidCronExpression(f"“{expression}” cannot be read: {str(error).lower()}.") from error
