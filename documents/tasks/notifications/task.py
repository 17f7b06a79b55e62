"""Tell people and systems of a task's end: a kind of task of its own, begun when the other has ended.

So it is retried, seen and cancelled like any other, and its failure never touches the task it speaks of.
"""

import smtplib
import time
import uuid
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.core.mail import EmailMessage
from django.dispatch import receiver

from documents import exceptions
from documents.infrastructure import storage
from documents.models import Delivery, Subscription, Task
from documents.queue import hints, lifecycle, registry
from documents.queue.registry import TaskContext, TaskOutput
from documents.queue.requests import TaskRequest
from documents.tasks.notifications import webhooks

KIND = "notice"
MAX_PER_ROUND = 50
# Mail servers refuse letters of more than 10 to 25 MB, and base64 adds a third.
MAX_ATTACHMENT_BYTES = 7 * 1024**2


def subscribe(task: Task, user: User, *, notify: bool, webhook: str) -> None:
    """Have ``user`` told by mail, and an address by webhook, when the task has ended; at once if it has."""
    wanted = [(Subscription.Channel.MAIL, user.email)] if notify else []
    wanted += [(Subscription.Channel.WEBHOOK, webhook)] if webhook else []
    for channel, target in wanted:
        Subscription.objects.update_or_create(
            task=task, channel=channel, target=target, requested_by=user, defaults={"sender": None}
        )


def subscribe_with_file(task: Task, user: User, address: str) -> None:
    """Have an address sent what the task made, when it has ended; at once if it has."""
    Subscription.objects.update_or_create(
        task=task,
        channel=Subscription.Channel.FILE,
        target=address,
        requested_by=user,
        defaults={"sender": None},
    )


def enqueue_due() -> None:
    """Begin the sending of what is due; safe to run anywhere, at any time."""
    due = Subscription.objects.filter(sender=None).exclude(task__status__in=Task.IN_FLIGHT)
    for notice in due[:MAX_PER_ROUND]:
        resend(notice)


def resend(notice: Subscription) -> Task:
    """Begin to send a notice, for the first time or again; return the task that does so."""

    def on_begin(sender: Task) -> None:
        Subscription.objects.filter(pk=notice.pk).update(sender=sender)

    request = TaskRequest(kind=KIND, fingerprint=f"notice {notice.pk}", on_begin=on_begin)
    sender, _ = hints.submit_in_background(request, user=AnonymousUser())
    return sender


@receiver(lifecycle.task_retried)
def reset(task_id: uuid.UUID, **_: Any) -> None:
    """Notify all subscribers again when a task that is being retried has ended."""
    Subscription.objects.filter(task_id=task_id).update(sender=None)


def run(attempt: TaskContext) -> TaskOutput:
    """Send one notice and log the try."""
    notice = (
        Subscription.objects.select_related("task__document__project").filter(sender=attempt.task).first()
    )
    if notice is None:
        raise exceptions.NotificationRefused("Its task was removed meanwhile.")
    started, status, error = time.monotonic(), None, ""
    try:
        if notice.channel == Subscription.Channel.WEBHOOK:
            status = webhooks.send(notice.target, str(notice.pk), payload(notice.task))
        else:
            _mail(notice)
    except exceptions.NotificationError as failure:
        error = str(failure)
        raise
    finally:
        seconds = round(time.monotonic() - started, 3)
        Delivery.objects.create(notice=notice, status_code=status, error=error[:300], seconds=seconds)
    return TaskOutput(file="", digest="", fingerprint=attempt.task.fingerprint, message=f"Sent: {notice}.")


def payload(task: Task) -> dict[str, object]:
    """Return what a webhook is told."""
    finished_at = task.finished_at.isoformat() if task.finished_at else None
    data = {
        "task_id": str(task.pk),
        "kind": task.kind,
        "document": task.document_id,
        "status": task.status,
        "url": _url(task),
        "error": task.error,
    }
    return {"type": f"task.{task.status}", "timestamp": finished_at, "data": data}


def _url(task: Task) -> str:
    """Return the address of what was made when there is a file, and of the task otherwise."""
    return f"{settings.SPMS_URL}{registry.result_url(task) or task.get_absolute_url()}"


def _mail(notice: Subscription) -> None:
    task = notice.task
    what = ": ".join(filter(None, (str(task.document or ""), f"the {registry.title_of(task.kind)}")))
    outcome = {"succeeded": "is ready", "failed": "could not be made", "cancelled": "was cancelled"}[
        task.status
    ]
    subject = f"{what} {outcome}".removeprefix("the ")
    body = "\n\n".join(filter(None, (f"{what} {outcome}.", task.message, _url(task))))
    letter = EmailMessage(subject[:1].upper() + subject[1:], body, to=[notice.target])
    if notice.channel == Subscription.Channel.FILE:
        _attach(letter, task)
    try:
        letter.send()
    except (OSError, smtplib.SMTPException) as error:
        raise exceptions.NotificationFailed(f"The mail server did not take it: {error}"[:250]) from error


def _attach(letter: EmailMessage, task: Task) -> None:
    """Add the file that a task made, unless it is too large for a letter: then its address must do."""
    facts = task.result or {}
    if not registry.result_url(task) or facts["bytes"] > MAX_ATTACHMENT_BYTES:
        return
    try:
        with storage.open_file(task.file) as stream:
            letter.attach(
                task.filename, stream.read(), facts.get("media_type", "application/pdf").partition(";")[0]
            )
    except FileNotFoundError as error:
        raise exceptions.NotificationRefused("The file was removed meanwhile.") from error


registry.register(registry.TaskType(name=KIND, title="notice", run=run))
