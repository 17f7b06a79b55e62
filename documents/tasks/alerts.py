"""Tell the maintainers of changes of the mode and of tasks that failed: off until a receiver is named.

A kind of task, so that each message is retried and seen like any other work.
"""

import smtplib
import time
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.core.mail import EmailMessage
from django.db.models import QuerySet
from django.dispatch import receiver
from django.urls import reverse

from documents import exceptions
from documents.models import Task
from documents.queue import failure_groups, hints, lifecycle, registry
from documents.queue.registry import TaskContext, TaskOutput
from documents.queue.requests import TaskRequest
from documents.tasks.notifications import webhooks
from metrics import flag

KIND = "alert"
MAIL, WEBHOOK = "mail", "webhook"
MODE, FAILED = "mode", "failed"
PERIOD_SECONDS = 600
MAX_ALERT_AGE_SECONDS = 30.0
MAX_LISTED = 500


@checks.register()
def check(**_: Any) -> list[CheckMessage]:
    """Refuse a webhook to which nothing would ever be sent."""
    url = settings.SPMS_ALERT_WEBHOOK
    reason = webhooks.find_problem(url) if url else ""
    return [Error(f"SPMS_ALERT_WEBHOOK: {reason}", id="spms.E010")] if reason else []


def configured_channels() -> list[str]:
    """Return the ways that somebody is told, none by default."""
    return [MAIL] * bool(settings.SPMS_ALERT_MAIL) + [WEBHOOK] * bool(settings.SPMS_ALERT_WEBHOOK)


@receiver(flag.changed)
def _on_change(change_id: int, **_: Any) -> None:
    enqueue(f"{MODE} {change_id}")


def enqueue_due() -> None:
    """Tell of the tasks that failed in the last ten minutes, once; safe to run anywhere."""
    period = int(time.time()) // PERIOD_SECONDS - 1
    if configured_channels() and _failed_in(period).exists():
        enqueue(f"{FAILED} {period}")


def enqueue(about: str) -> None:
    """Begin a message on each channel, unless it was begun before; without workers it is sent from here."""
    for channel in configured_channels():
        fingerprint = f"{channel} {about}"
        if Task.objects.filter(kind=KIND, fingerprint=fingerprint).exists():
            continue
        request = TaskRequest(kind=KIND, fingerprint=fingerprint)
        begun, is_new = hints.submit_in_background(request, user=AnonymousUser())
        if is_new and not hints.has_live_workers():
            lifecycle.start(begun.pk, deadline=time.monotonic() + MAX_ALERT_AGE_SECONDS)


def run(attempt: TaskContext) -> TaskOutput:
    """Send one message."""
    channel, about, number = attempt.task.fingerprint.split()
    subject, text, data = _mode_message(int(number)) if about == MODE else _failures_message(int(number))
    if channel == WEBHOOK:
        timestamp = attempt.task.created_at.isoformat()
        message = {"type": data.pop("type"), "timestamp": timestamp, "data": data}
        webhooks.send(settings.SPMS_ALERT_WEBHOOK, str(attempt.task.pk), message)
    else:
        _mail(subject, text)
    return TaskOutput(
        file="",
        digest="",
        fingerprint=attempt.task.fingerprint,
        message=f"Sent by {channel}: {subject}"[:500],
    )


def _mode_message(change_id: int) -> tuple[str, str, dict[str, Any]]:
    change = flag.change(change_id)
    if change is None:
        raise exceptions.NotificationRefused("The change was removed meanwhile.")
    subject = f"SPMS: {change.before} → {change.after}"
    text = f"{change.reason}\n\nBy {change.actor}.\n\n{settings.SPMS_URL}/dashboard/"
    data = {"before": change.before, "after": change.after, "reason": change.reason, "by": change.actor}
    return subject, text, {"type": "mode.changed", **data}


def _failures_message(period: int) -> tuple[str, str, dict[str, Any]]:
    rows = _failed_in(period).values_list("pk", "kind", "error", "finished_at")
    groups = failure_groups.group_failures(rows[:MAX_LISTED])
    count = _failed_in(period).count()
    subject = f"SPMS: {count} task{'s' if count != 1 else ''} failed"
    lines = [f"{group.count} × {group.kind}: {group.title}. {group.detail}" for group in groups]
    text = "\n".join([*lines, "", f"{settings.SPMS_URL}{reverse('task-pages')}"])
    return subject, text, {"type": "tasks.failed", "count": count, "groups": lines}


def _failed_in(period: int) -> QuerySet[Task]:
    """Return the tasks that failed in a period of ten minutes, counted from 1970; not messages like these."""
    begin_at, end_at = (datetime.fromtimestamp((period + number) * PERIOD_SECONDS, UTC) for number in (0, 1))
    failed = Task.objects.filter(status=Task.Status.FAILED, finished_at__gte=begin_at, finished_at__lt=end_at)
    return failed.exclude(kind=KIND)


def _mail(subject: str, text: str) -> None:
    try:
        EmailMessage(subject, text, to=settings.SPMS_ALERT_MAIL).send()
    except (OSError, smtplib.SMTPException) as error:
        raise exceptions.NotificationFailed(f"The mail server did not take it: {error}"[:250]) from error


registry.register(registry.TaskType(name=KIND, title="alert", run=run))
