"""What runs by the clock: rows of Django-Q2's schedule, made once and then the maintainer's to change."""

from datetime import datetime, timedelta

from django.utils import timezone
from django_q.models import Schedule

from documents.queue import hints
from documents.tasks import maintenance

ENTRY = "documents.queue.hints.begin_scheduled"
CLEANUP_HOUR, SUMMARY_HOUR, MONDAY = 2, 7, 0


def ensure_schedules() -> None:
    """Make the schedules that are not there yet."""
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


def enqueue_due() -> None:
    """Begin what is due, once however many look; a time that was missed is caught up once."""
    for schedule in Schedule.objects.filter(next_run__lte=timezone.now()):
        following = schedule.calculate_next_run()
        while following <= timezone.now():
            following = schedule.calculate_next_run(following)
        same = Schedule.objects.filter(pk=schedule.pk, next_run=schedule.next_run)
        if same.update(next_run=following):
            hints.begin_scheduled(str(schedule.name))


def next_at(now: datetime, hour: int, *, weekday: int | None = None) -> datetime:
    """Return the next time that it is this hour, on this day of the week (Monday is 0) if one is given."""
    day = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    while day <= now or (weekday is not None and day.weekday() != weekday):
        day += timedelta(days=1)  # in local time: the hour stays the same through a change of the clock
    return day
