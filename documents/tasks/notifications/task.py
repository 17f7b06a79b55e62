"""Notify people and systems when a task ends, by a second task.

It is listed, retried and cancelled like any other, and its failure never affects the task it reports.
"""

import smtplib
import time
import uuid
from email.message import MIMEPart
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.core.mail import EmailMessage
from django.dispatch import receiver

from documents import characters, exceptions
from documents.infrastructure import storage
from documents.models import Delivery, Subscription, Task
from documents.queue import hints, lifecycle, registry
from documents.queue.registry import StoredFile, TaskContext, TaskOutput
from documents.queue.requests import TaskRequest
from documents.tasks.notifications import webhooks

KIND = "notice"
MAX_PER_ROUND = 50
# Mail servers refuse letters of more than 10 to 25 MB, and base64 adds a third.
MAX_ATTACHMENT_BYTES = 7 * 1024**2


def subscribe(task: Task, user: User, *, notify: bool, webhook: str) -> None:
    """Notify ``user`` by mail, and an address by webhook, when the task ends; at once if it has ended."""
    targets = [(Subscription.Channel.MAIL, user.email)] if notify else []
    targets += [(Subscription.Channel.WEBHOOK, webhook)] if webhook else []
    for channel, target in targets:
        Subscription.objects.update_or_create(
            task=task, channel=channel, target=target, requested_by=user, defaults={"sender": None}
        )


def subscribe_with_file(task: Task, user: User, address: str) -> None:
    """Mail the file of the task to an address when it ends; at once if it has ended."""
    Subscription.objects.update_or_create(
        task=task,
        channel=Subscription.Channel.FILE,
        target=address,
        requested_by=user,
        defaults={"sender": None},
    )


def enqueue_due() -> None:
    """Begin a task for each notification that is due; safe to run anywhere, at any time."""
    due = Subscription.objects.filter(sender=None).exclude(task__status__in=Task.IN_FLIGHT)
    for notice in due[:MAX_PER_ROUND]:
        resend(notice)


def resend(notice: Subscription) -> Task:
    """Begin to send a notification, for the first time or again; return the task that sends it."""

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
    """Send one notification and record the delivery. Raises NotificationRefused or NotificationFailed."""
    notice = (
        Subscription.objects.select_related("task__document__project", "requested_by")
        .filter(sender=attempt.task)
        .first()
    )
    if notice is None:
        raise exceptions.NotificationRefused("Its task has been removed.")
    _require_right(notice)
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
    return TaskOutput(fingerprint=attempt.task.fingerprint, message=f"Sent: {notice}.")


def _require_right(notice: Subscription) -> None:
    """Raise NotificationRefused unless the person who requested the notice may see now what it tells or carries."""
    user, task = notice.requested_by, notice.task
    if not Task.objects.for_user(user).filter(pk=task.pk).exists():
        raise exceptions.NotificationRefused(f"{user} may no longer see this task.")
    if notice.channel == Subscription.Channel.FILE and not registry.may_read_file(task, user):
        raise exceptions.NotificationRefused(f"{user} may no longer read everything in this file.")


def payload(task: Task) -> dict[str, object]:
    """Return the payload of a webhook."""
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
    """Return the address of the task's file, or of the task if it has none."""
    return f"{settings.SPMS_URL}{registry.result_url(task) or task.get_absolute_url()}"


def _mail(notice: Subscription) -> None:
    task = notice.task
    what = ": ".join(filter(None, (str(task.document or ""), f"the {registry.title_of(task.kind)}")))
    outcome = {"succeeded": "is ready", "failed": "could not be made", "cancelled": "was cancelled"}[
        task.status
    ]
    subject = characters.one_line(f"{what} {outcome}".removeprefix("the "))
    body = "\n\n".join(filter(None, (f"{what} {outcome}.", task.message, _url(task))))
    letter = EmailMessage(subject[:1].upper() + subject[1:], body, to=[notice.target])
    if notice.channel == Subscription.Channel.FILE:
        _attach(letter, task)
    try:
        letter.send()
    except (OSError, smtplib.SMTPException) as error:
        raise exceptions.NotificationFailed(f"The mail server did not accept it: {error}"[:250]) from error


def _attach(letter: EmailMessage, task: Task) -> None:
    """Attach the file of a task unless it is too large for a mail, whose text contains its address.

    Raises NotificationRefused if the file was removed.
    """
    if not registry.result_url(task):
        return
    file = StoredFile.of(task)
    if file is None or file.size_bytes > MAX_ATTACHMENT_BYTES:
        return
    try:
        with storage.open_file(file.name) as stream:
            letter.attach(_as_part(file, stream.read()))
    except FileNotFoundError as error:
        raise exceptions.NotificationRefused("The file has been removed.") from error


def _as_part(file: StoredFile, content: bytes) -> MIMEPart:
    """Return a file as an attachment of the same bytes: as a text, its line ends would be those of mail."""
    media_type, _, parameter = file.media_type.partition("; ")
    maintype, _, subtype = media_type.partition("/")
    name, _, value = parameter.partition("=")
    part = MIMEPart()
    part.set_content(
        content,
        maintype,
        subtype,
        cte="base64",
        disposition="attachment",
        filename=file.filename,
        params={name: value} if name else None,
    )
    return part


registry.register(registry.TaskType(name=KIND, title="notice", run=run))
