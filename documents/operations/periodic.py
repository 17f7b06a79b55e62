"""Scheduled maintenance: rows of Django-Q2's schedule, created once and then the maintainer's to change."""

from datetime import datetime, timedelta

from django.utils import timezone
from django_q.models import Schedule

from documents.queue import hints
from documents.tasks import maintenance

ENTRY = "documents.queue.hints.begin_scheduled"
CLEANUP_HOUR, SUMMARY_HOUR, MONDAY = 2, 7, 0


def ensure_schedules() -> None:
    """Create the schedules that are missing, and correct the function that older versions have named."""
    now = timezone.localtime()
    for kind, schedule_type, next_run in (
        (maintenance.CLEANUP, Schedule.DAILY, next_at(now, CLEANUP_HOUR)),
        (maintenance.SUMMARY, Schedule.WEEKLY, next_at(now, SUMMARY_HOUR, weekday=MONDAY)),
    ):
        values = {"func": ENTRY, "args": repr(kind), "schedule_type": schedule_type, "next_run": next_run}
        same = Schedule.objects.filter(name=kind).order_by("pk")
        if not same.exists():
            Schedule.objects.create(name=kind, **values)
        # Several clusters may start at the same moment, and nothing makes the name unique: the first row stays.
        same.filter(pk__in=[row.pk for row in same[1:]]).delete()
        same.exclude(func=ENTRY).update(func=ENTRY)


def enqueue_due() -> None:
    """Begin the tasks that are due, once however many clusters ask; missed times are caught up by one task."""
    for schedule in Schedule.objects.filter(next_run__lte=timezone.now()):
        following = schedule.calculate_next_run()
        while following <= timezone.now():
            following = schedule.calculate_next_run(following)
        same = Schedule.objects.filter(pk=schedule.pk, next_run=schedule.next_run)
        if same.update(next_run=following):
            hints.begin_scheduled(str(schedule.name))


def next_at(now: datetime, hour: int, *, weekday: int | None = None) -> datetime:
    """Return the next time in local time with this hour and, if given, this weekday (Monday is 0)."""
    day = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    while day <= now or (weekday is not None and day.weekday() != weekday):
        day += timedelta(days=1)  # in local time: the hour stays the same through a DST change
    return day
