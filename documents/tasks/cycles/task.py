"""The kind of task that opens a cycle and sends its letters, a few seconds at a time.

No letter is sent twice unless somebody asks for it. The rows of the letters hold all progress, so the next turn,
in whatever process, continues where the last one ended or died.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import Count, F, Min, Q
from django.utils import timezone

from documents import exceptions
from documents.models import Task
from documents.models.cycles import Cycle, Letter
from documents.queue import leases, registry
from documents.queue.registry import Reschedule, TaskContext, TaskOutput
from documents.tasks.cycles import letter_template, preparation, rate_limit, smtp
from metrics.durations import Monotonic

KIND = "cycle"
# How many letters go over one connection, and how long a turn lasts before other tasks get theirs.
CHUNK = 100
MAX_TURN_SECONDS = 5.0
MAX_PAUSE_SECONDS = 30.0
FAILURE_PAUSE_SECONDS = 10.0
DEACTIVATED = "This person's account is no longer active."
ORPHANED = "Its sender ended before the mail server had answered."


def run(attempt: TaskContext) -> TaskOutput:
    """Prepare the cycle, and send the letters that are due.

    Raises Reschedule while letters wait; MailServerUnavailable, CycleStateConflict, LeaseLost.
    """
    cycle = Cycle.objects.filter(year=attempt.task.arguments["year"]).first()
    if cycle is None:
        raise exceptions.CycleStateConflict("The cycle was removed.")
    if attempt.task.staff_requester() is None:
        raise exceptions.CycleStateConflict("The person who sends it is no longer staff. Resume the cycle.")
    preparation.prepare(cycle, attempt.report)
    mark_orphans_unknown(cycle, attempt.task.token)
    turn = _Turn(cycle=cycle, attempt=attempt, sent=_sent(cycle), ends_at=time.monotonic() + MAX_TURN_SECONDS)
    _show(turn)
    _send_due(turn)
    _show(turn)
    if cycle.letters.waiting().exists():
        raise Reschedule(_pause_seconds(cycle))
    return _outcome(cycle)


def mark_orphans_unknown(cycle: Cycle, token: uuid.UUID | None) -> int:
    """Mark the letters that another claim was sending as perhaps sent; return how many.

    A sender that is still alive nevertheless records the outcome of its letter.
    """
    return cycle.letters.all().orphaned(token).update(state=Letter.State.PERHAPS_SENT, error=ORPHANED)


def settle_orphans() -> None:
    """Mark the letters of dead senders as perhaps sent where no task sends the cycle; safe to run anywhere."""
    idle = Cycle.objects.exclude(task__status__in=Task.IN_FLIGHT)
    orphans = Letter.objects.filter(cycle__in=idle, state=Letter.State.SENDING)
    orphans.update(state=Letter.State.PERHAPS_SENT, error=ORPHANED)


@dataclass(kw_only=True)
class _Turn:
    """One run of the task function; ``sent`` counts all sent letters of the cycle."""

    cycle: Cycle
    attempt: TaskContext
    sent: int
    ends_at: Monotonic


def _show(turn: _Turn) -> None:
    """Write the progress at once, as a turn can be shorter than the interval between two reports."""
    leases.held_by(turn.attempt.task).update(phase="mail", pages_done=turn.sent)


def _sent(cycle: Cycle) -> int:
    return cycle.letters.filter(state=Letter.State.SENT).count()


def _send_due(turn: _Turn) -> None:
    """Send until nothing is due or the turn is over.

    Raises Reschedule if the server failed after it had accepted letters, MailServerUnavailable if it accepted none.
    """
    before = turn.sent
    try:
        while time.monotonic() < turn.ends_at and (letters := _due(turn.cycle)):
            _send_over_one_connection(turn, letters)
    except exceptions.MailServerUnavailable as error:
        if turn.sent == before:
            raise
        raise Reschedule(FAILURE_PAUSE_SECONDS) from error


def _room(now: datetime) -> tuple[int, datetime]:
    """Return how many letters may be sent now, and when the next one may be sent."""
    if not settings.SPMS_MAILS_PER_MINUTE:
        return CHUNK, now
    window = rate_limit.current_window(settings.SPMS_MAILS_PER_MINUTE, now)
    free = window.size - Letter.objects.filter(tried_at__gte=window.began_at).count()
    return max(0, min(free, CHUNK)), now if free > 0 else window.ends_at


def _due(cycle: Cycle) -> list[Letter]:
    """Return the letters to send now, as many as the limit allows."""
    now = timezone.now()
    due = cycle.letters.waiting().filter(due_at__lte=now).select_related("person")
    return list(due.order_by("due_at", "pk")[: _room(now)[0]])


def _pause_seconds(cycle: Cycle) -> float:
    """Return the seconds until the next letter may be sent, at most MAX_PAUSE_SECONDS."""
    now = timezone.now()
    due_at = cycle.letters.waiting().aggregate(at=Min("due_at"))["at"] or now
    next_at = max(due_at, _room(now)[1])
    return min(max(0.0, (next_at - now).total_seconds()), MAX_PAUSE_SECONDS)


def _send_over_one_connection(turn: _Turn, letters: list[Letter]) -> None:
    with smtp.open_connection() as backend:
        for letter in letters:
            turn.sent += _send(turn, backend, letter)
            turn.attempt.report("mail", turn.sent)
            if time.monotonic() > turn.ends_at:
                return


def _send(turn: _Turn, backend: BaseEmailBackend, letter: Letter) -> bool:
    """Send one letter and record the outcome; return True if it was sent. Raises MailServerUnavailable."""
    token = turn.attempt.task.token
    note = _note_of(letter, token)
    if not letter.person.is_active:
        note(Letter.State.FAILED, DEACTIVATED)
        return False
    try:
        if not smtp.send(backend, letter_template.message(turn.cycle, letter), _mark_of(letter, token)):
            return False
    except smtp.PermanentFailure as refusal:
        note(Letter.State.FAILED, str(refusal))
    except smtp.TransientFailure as refusal:
        _put_off(letter, note, str(refusal))
    except smtp.DeliveryUnknown as fault:
        note(Letter.State.PERHAPS_SENT, str(fault))
        raise exceptions.MailServerUnavailable(str(fault)[:300]) from fault
    else:
        note(Letter.State.SENT, "", sent_at=timezone.now())
        return True
    return False


def _mark_of(letter: Letter, token: uuid.UUID | None) -> Callable[[], bool]:
    """Return the function that claims a waiting letter right before its text is sent."""

    def mark() -> bool:
        waiting = Letter.objects.waiting().filter(pk=letter.pk)
        return bool(waiting.update(state=Letter.State.SENDING, claim=token, tried_at=timezone.now()))

    return mark


def _note_of(letter: Letter, token: uuid.UUID | None) -> Callable[..., None]:
    """Return the function that records the outcome, unless another claim has taken the letter."""
    own = Letter.objects.filter(Q(state=Letter.State.WAITING) | Q(claim=token), pk=letter.pk)

    def note(state: Letter.State, error: str, **values: object) -> None:
        values = {"tried_at": timezone.now(), **values}
        own.update(state=state, error=error[:300], **values)

    return note


def _put_off(letter: Letter, note: Callable[..., None], words: str) -> None:
    """Retry a letter later, as often and with the same delays as other transient errors."""
    if letter.delays >= settings.SPMS_MAX_RETRIES:
        note(Letter.State.FAILED, words)
        return
    wait = timedelta(seconds=settings.SPMS_RETRY_BACKOFF * 2**letter.delays)
    note(Letter.State.WAITING, words, claim=None, delays=F("delays") + 1, due_at=timezone.now() + wait)


def _outcome(cycle: Cycle) -> TaskOutput:
    counts = dict(cycle.letters.values_list("state").annotate(Count("pk")).order_by())
    sent, failed, perhaps = (
        counts.get(state, 0) for state in (Letter.State.SENT, Letter.State.FAILED, Letter.State.PERHAPS_SENT)
    )
    reports = Cycle.objects.values_list("reports", flat=True).get(pk=cycle.pk)
    metadata = {
        "cycle": cycle.pk,
        "reports": reports,
        "sent": sent,
        "failed": failed,
        "perhaps_sent": perhaps,
    }
    counts_text = [_count(reports, "report") + " made", _count(sent, "letter") + " sent"]
    counts_text += [f"{failed} failed"] * bool(failed) + [f"{perhaps} perhaps sent: look at them"] * bool(
        perhaps
    )
    return TaskOutput(
        fingerprint=f"cycle {cycle.year}", metadata=metadata, message=f"{', '.join(counts_text)}."
    )


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


registry.register(registry.TaskType(name=KIND, title="cycle", run=run))
