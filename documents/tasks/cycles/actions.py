"""The actions on a cycle: open, stop, resume, send letters again, record a letter that bounced."""

from collections.abc import Callable
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from documents import exceptions
from documents.models import Task
from documents.models.cycles import Cycle, Letter
from documents.queue import lifecycle
from documents.queue.requests import TaskRequest
from documents.tasks.cycles import preparation, task as letter_task

# The worker that was sending a letter may still get an answer for this long: more than twice the server's timeout.
QUIET = timedelta(minutes=1)
RESENDABLE = (Letter.State.FAILED, Letter.State.PERHAPS_SENT)


def check_new(year: int) -> None:
    """Raise CycleExists if this year's cycle has been opened."""
    if (existing := Cycle.objects.filter(year=year).first()) is not None:
        raise exceptions.CycleExists(
            f"The cycle {year - 1}-{year} is number {existing.pk}; resume that one if it has stopped."
        )


def open_request(cycle: Cycle, also: Callable[[Task], None] = lambda _: None) -> TaskRequest:
    """Return the request that opens a new cycle, which is stored with its task or not at all.

    ``also`` receives the task in the same transaction. Raises CycleExists, now or when the task begins.
    """
    check_new(cycle.year)

    def on_begin(task: Task) -> None:
        cycle.task = task
        try:
            with transaction.atomic():
                cycle.save(force_insert=True)
        except IntegrityError:
            check_new(cycle.year)
            raise
        also(task)

    plan = preparation.preview(cycle)
    return _request(cycle, plan.seconds + plan.reports * 0.002, on_begin)


def resume_request(cycle: Cycle) -> TaskRequest:
    """Return the request that sends the remaining letters. Raises CycleStateConflict if there are none."""
    waiting = cycle.letters.waiting().count()
    if cycle.prepared_at is not None and not waiting:
        raise exceptions.CycleStateConflict("Nothing is left to be sent.")

    def on_begin(task: Task) -> None:
        Cycle.objects.filter(pk=cycle.pk).update(task=task)

    return _request(cycle, preparation.estimated_send_seconds(waiting), on_begin)


def _request(cycle: Cycle, estimate_seconds: float, on_begin: Callable[[Task], None]) -> TaskRequest:
    return TaskRequest(
        kind=letter_task.KIND,
        fingerprint=f"cycle {cycle.year}",
        arguments={"year": cycle.year},
        estimate_seconds=estimate_seconds,
        on_begin=on_begin,
    )


def get_with_counts(pk: int) -> Cycle | None:
    """Return a cycle with its task and its counts, or None."""
    return Cycle.objects.counted().filter(pk=pk).first()


def stop(cycle: Cycle, by: User) -> None:
    """Stop sending letters, within two seconds. Raises CycleStateConflict if none are being sent."""
    if cycle.task is None:
        raise exceptions.CycleStateConflict("Nothing is being sent, so there is nothing to stop.")
    try:
        lifecycle.cancel(cycle.task.pk, by=by.get_username())
    except exceptions.TaskStateConflict as error:
        raise exceptions.CycleStateConflict("Nothing is being sent, so there is nothing to stop.") from error
    letter_task.settle_orphans()


def resend(letters: QuerySet[Letter]) -> int:
    """Queue letters that failed or were perhaps sent again, to each person's present address; return how many.

    Letters of people without an address, and letters that a worker may still be sending, are left alone.
    """
    letter_task.settle_orphans()
    quiet = letters.filter(state__in=RESENDABLE).exclude(
        state=Letter.State.PERHAPS_SENT, tried_at__gt=timezone.now() - QUIET
    )
    addresses = User.objects.filter(pk=OuterRef("person_id")).values("email")[:1]
    return quiet.exclude(person__email="").update(
        state=Letter.State.WAITING,
        address=Subquery(addresses),
        error="",
        claim=None,
        delays=0,
        due_at=timezone.now(),
    )


def resend_or_raise(letters: QuerySet[Letter]) -> int:
    """Queue letters again like ``resend``. Raises CycleStateConflict if there is no such letter."""
    if not (count := resend(letters)):
        raise exceptions.CycleStateConflict(
            "No such letter can be sent again: it must have failed or be perhaps sent for a minute, "
            "and its person needs an address."
        )
    return count


def mark_bounced(letter: Letter, reason: str) -> None:
    """Record that a letter bounced. Raises CycleStateConflict for a letter that was not sent."""
    letter_task.settle_orphans()
    delivered = Letter.objects.filter(pk=letter.pk, state__in=(Letter.State.SENT, Letter.State.PERHAPS_SENT))
    if not delivered.update(state=Letter.State.FAILED, error=f"It came back: {reason}"[:300]):
        raise exceptions.CycleStateConflict("Only a letter that was sent can come back.")
