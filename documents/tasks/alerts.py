"""Alert the maintainers to changes of the mode and to failed tasks, once a receiver is configured.

An alert is a task, so it is listed and retried like any other.
"""

import smtplib
import time
from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A message to the maintainers; ``event`` and ``data`` are for webhooks, ``subject`` and ``text`` for mail."""

    event: str
    subject: str
    text: str
    data: dict[str, Any]


@checks.register()
def check(**_: Any) -> list[CheckMessage]:
    """Report an alert webhook whose address is not allowed."""
    url = settings.SPMS_ALERT_WEBHOOK
    reason = webhooks.find_problem(url) if url else ""
    return [Error(f"SPMS_ALERT_WEBHOOK: {reason}", id="spms.E010")] if reason else []


def configured_channels() -> list[str]:
    """Return the channels that have a receiver; by default there are none."""
    return [MAIL] * bool(settings.SPMS_ALERT_MAIL) + [WEBHOOK] * bool(settings.SPMS_ALERT_WEBHOOK)


@receiver(flag.changed)
def _on_change(change_id: int, **_: Any) -> None:
    enqueue(MODE, change_id)


def enqueue_due() -> None:
    """Begin one alert about the tasks that failed in the last full period of ten minutes; safe to run anywhere."""
    period = int(time.time()) // PERIOD_SECONDS - 1
    if configured_channels() and _failed_in(period).exists():
        enqueue(FAILED, period)


def enqueue(about: str, number: int) -> None:
    """Begin an alert on each channel, unless it was begun before; without workers this process sends it.

    ``number`` is the id of the change of mode, or the ten-minute period of the failures.
    """
    for channel in configured_channels():
        request = _request(channel, about, number)
        if Task.objects.filter(kind=KIND, fingerprint=request.fingerprint).exists():
            continue
        task, is_new = hints.submit_in_background(request, user=AnonymousUser())
        if is_new and not hints.has_live_workers():
            lifecycle.start(task.pk, deadline=time.monotonic() + MAX_ALERT_AGE_SECONDS)


def _request(channel: str, about: str, number: int) -> TaskRequest:
    return TaskRequest(
        kind=KIND,
        fingerprint=f"{channel} {about} {number}",
        arguments={"channel": channel, "about": about, "number": number},
    )


def run(attempt: TaskContext) -> TaskOutput:
    """Send one alert. Raises NotificationRefused or NotificationFailed."""
    arguments = attempt.task.arguments or _arguments_in(attempt.task.fingerprint)
    build = _mode_alert if arguments["about"] == MODE else _failures_alert
    alert = build(arguments["number"])
    if arguments["channel"] == WEBHOOK:
        timestamp = attempt.task.created_at.isoformat()
        payload = {"type": alert.event, "timestamp": timestamp, "data": alert.data}
        webhooks.send(settings.SPMS_ALERT_WEBHOOK, str(attempt.task.pk), payload)
    else:
        _mail(alert)
    message = f"Sent by {arguments['channel']}: {alert.subject}"[:500]
    return TaskOutput(fingerprint=attempt.task.fingerprint, message=message)


def _arguments_in(fingerprint: str) -> dict[str, Any]:
    """Return the arguments of a task that was stored before tasks of this kind had any."""
    channel, about, number = fingerprint.split()
    return {"channel": channel, "about": about, "number": int(number)}


def _mode_alert(change_id: int) -> Alert:
    change = flag.change(change_id)
    if change is None:
        raise exceptions.NotificationRefused("The change has been removed.")
    subject = f"SPMS: {change.before} → {change.after}"
    url = f"{settings.SPMS_URL}/dashboard/{_anchor(change.evidence)}"
    text = f"{change.reason}\n\nBy {change.actor}.\n\n{url}"
    data = {
        "before": change.before,
        "after": change.after,
        "reason": change.reason,
        "by": change.actor,
        "url": url,
    }
    return Alert(event="mode.changed", subject=subject, text=text, data=data)


def _anchor(evidence: dict[str, Any]) -> str:
    """Return where the dashboard shows the limit that caused a change; nothing where no limit did."""
    entries = evidence.get("thresholds", [])
    firing = [
        entry["name"] for entry in entries if entry["state"] == "firing" and entry.get("routes_to_queue")
    ]
    return f"#{firing[0]}" if firing else ""


def _failures_alert(period: int) -> Alert:
    rows = _failed_in(period).values_list("pk", "kind", "error", "finished_at")
    groups = failure_groups.group_failures(rows[:MAX_LISTED])
    count = _failed_in(period).count()
    subject = f"SPMS: {count} task{'s' if count != 1 else ''} failed"
    lines = [f"{group.count} × {group.kind}: {group.title}. {group.detail}" for group in groups]
    text = "\n".join([*lines, "", f"{settings.SPMS_URL}{reverse('task-pages')}"])
    return Alert(event="tasks.failed", subject=subject, text=text, data={"count": count, "groups": lines})


def _failed_in(period: int) -> QuerySet[Task]:
    """Return the tasks that failed in a ten-minute period, counted from 1970, except alerts."""
    begin_at, end_at = (datetime.fromtimestamp((period + number) * PERIOD_SECONDS, UTC) for number in (0, 1))
    failed = Task.objects.filter(status=Task.Status.FAILED, finished_at__gte=begin_at, finished_at__lt=end_at)
    return failed.exclude(kind=KIND)


def _mail(alert: Alert) -> None:
    try:
        EmailMessage(alert.subject, alert.text, to=settings.SPMS_ALERT_MAIL).send()
    except (OSError, smtplib.SMTPException) as error:
        raise exceptions.NotificationFailed(f"The mail server did not accept it: {error}"[:250]) from error


registry.register(registry.TaskType(name=KIND, title="alert", run=run))
