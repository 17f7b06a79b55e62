"""The maintenance that runs on a schedule: the nightly clean-up and the weekly summary."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django_q.models import Schedule

from documents.models import PeriodicTask
from documents.operations import cron
from documents.queue import hints
from documents.tasks import maintenance

DEFAULT_CRON = {maintenance.CLEANUP: "0 2 * * *", maintenance.SUMMARY: "0 7 * * MON"}


def ensure_schedules() -> None:
    """Create the schedules that are missing; safe to run concurrently.

    Older versions stored them with Django-Q2: such a row is removed, and its time is kept.
    """
    for kind, expression in DEFAULT_CRON.items():
        older = Schedule.objects.filter(name=kind).order_by("pk")
        with transaction.atomic():
            PeriodicTask.objects.get_or_create(
                kind=kind, defaults=_converted(older.first()) or _first_run(expression)
            )
            older.delete()


def enqueue_due() -> None:
    """Begin the tasks that are due; safe to run concurrently."""
    for schedule, _ in cron.claim_due(PeriodicTask.objects.all()):
        hints.begin_scheduled(schedule.kind)


def _first_run(expression: str) -> dict[str, object]:
    return {"cron": expression, "next_run_at": cron.next_after(expression, timezone.localtime())}


def _converted(older: Schedule | None) -> dict[str, object]:
    """Return the columns that keep the times of a row of Django-Q2, or none for a period other than these."""
    if older is None:
        return {}
    at: datetime = timezone.localtime(older.next_run)
    expressions = {
        Schedule.DAILY: f"{at.minute} {at.hour} * * *",
        Schedule.WEEKLY: f"{at.minute} {at.hour} * * {at.isoweekday() % 7}",
        Schedule.MONTHLY: f"{at.minute} {at.hour} {at.day} * *",
    }
    if older.schedule_type not in expressions:
        return {}
    return {"cron": expressions[older.schedule_type], "next_run_at": older.next_run}
