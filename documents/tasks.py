"""The life of a task: begin or join, claim, run, finish or fail.

Free of any knowledge about PDF: a kind of task is a handler that somebody registers. Every change of state is
one compare-and-set UPDATE, so whoever lost a claim can neither publish a result nor undo another's.
"""

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import IntegrityError, OperationalError, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from documents import errors, store
from documents.models import Document, Task, Viewer

LEASE = timedelta(seconds=60)
HEARTBEAT_SECONDS = LEASE.total_seconds() / 3
PROGRESS_SECONDS = 0.5
POLL_SECONDS = 0.1
BEGIN_ATTEMPTS = 5

logger = logging.getLogger(__name__)

type Report = Callable[[str, int], None]


class ClaimLost(Exception):
    """The task was taken away (lapsed lease, cancelled) while it ran."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One run of a task: what its handler gets.

    ``deadline`` is in seconds of ``time.monotonic``; ``report`` takes the phase and the pages done so far, is
    to be called several times a second, and raises ClaimLost when the work is no longer wanted.
    """

    task: Task
    deadline: float
    report: Report


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a handler made: a file in the result storage and the facts about it."""

    file: str
    digest: str
    fingerprint: str
    facts: dict[str, object] = field(default_factory=dict)
    message: str = ""


type Handler = Callable[[Attempt], Outcome]

_handlers: dict[str, Handler] = {}


def register(kind: str, handler: Handler) -> None:
    """Let ``handler`` run the tasks of a kind."""
    _handlers[kind] = handler


def newest_succeeded(kind: str, fingerprint: str) -> Task | None:
    """Return the newest finished task with this input whose file is still there."""
    done = Task.objects.filter(kind=kind, fingerprint=fingerprint, status=Task.Status.SUCCEEDED)
    newest = done.order_by("-finished_at").first()
    return newest if newest and store.exists(newest.file) else None


def begin(
    *, kind: str, fingerprint: str, document: Document | None, user: Viewer, mode: str = Task.Mode.INLINE
) -> tuple[Task, bool]:
    """Return the task in flight for this input, or a new one, and whether it is new.

    There are never two at once for the same input: a unique constraint sees to it.
    """
    for _ in range(BEGIN_ATTEMPTS):
        joined = Task.objects.in_flight().filter(kind=kind, fingerprint=fingerprint).first()
        if joined is not None:
            return joined, False
        try:
            with transaction.atomic():
                task = Task.objects.create(
                    kind=kind, fingerprint=fingerprint, document=document, requested_by_id=user.pk, mode=mode
                )
        except IntegrityError:
            continue  # somebody began the same at the same moment: join theirs
        return task, True
    raise errors.SpmsError("The task could not be begun. Try again.")


def run(task_id: uuid.UUID, *, deadline: float) -> None:
    """Claim a task and run it to its end; does nothing when somebody else has it or it has ended.

    ``deadline`` is in seconds of ``time.monotonic``. What goes wrong is written to the row, not raised.
    """
    if (task := _claim(task_id)) is None:
        return
    try:
        outcome = _handlers[task.kind](_attempt(task, deadline))
    except ClaimLost:
        logger.info("task %s was taken away while it ran", task.pk)
    except errors.SpmsError as error:
        _fail(task, error)
    except Exception:
        logger.exception("task %s failed", task.pk)
        _fail(task, errors.SpmsError("An error that nobody foresaw; it is in the log under this task's id."))
    else:
        _finish(task, outcome)


def run_or_wait(task_id: uuid.UUID, *, deadline: float) -> Task:
    """Run a task, or wait for whoever runs it, until it has ended or ``deadline`` has passed.

    A claim whose process died is taken over as soon as its lease has lapsed.
    """
    while True:
        task = Task.objects.get(pk=task_id)
        if task.has_ended or time.monotonic() > deadline:
            return task
        if _is_claimable(task):
            run(task_id, deadline=deadline)
        else:
            time.sleep(POLL_SECONDS)


def problem(error: errors.SpmsError) -> dict[str, object]:
    """Return the members of an error as a task keeps them."""
    kind = type(error)
    return {"type": kind.slug, "title": kind.title, "status": int(kind.status), "detail": str(error)}


def error_of(task: Task) -> errors.SpmsError:
    """Return the error that ended a failed task."""
    kept = task.error or {}
    return errors.SpmsError.by_slug(kept.get("type", ""))(kept.get("detail", ""), task_id=str(task.pk))


def _is_claimable(task: Task) -> bool:
    lapsed = task.lease_until is not None and task.lease_until < timezone.now()
    return task.status != Task.Status.RUNNING or lapsed


def _claim(task_id: uuid.UUID) -> Task | None:
    now, token = timezone.now(), uuid.uuid4()
    waiting = Q(status__in=(Task.Status.QUEUED, Task.Status.RETRYING))
    lapsed = Q(status=Task.Status.RUNNING, lease_until__lt=now)
    claimed = Task.objects.filter(waiting | lapsed, pk=task_id).update(
        status=Task.Status.RUNNING,
        token=token,
        attempts=F("attempts") + 1,
        lease_until=now + LEASE,
        started_at=Coalesce("started_at", now),
        phase="",
        pages_done=0,
    )
    return Task.objects.get(pk=task_id) if claimed else None


def _attempt(task: Task, deadline: float) -> Attempt:
    """Return an attempt whose ``report`` writes progress and renews the lease, neither too often."""
    written_at = time.monotonic()  # a render that is over in a moment writes no progress at all
    written = ("", 0)

    def report(phase: str, pages: int) -> None:
        nonlocal written_at, written
        age = time.monotonic() - written_at
        is_news = (phase, pages) != written and age > PROGRESS_SECONDS
        if is_news or age > HEARTBEAT_SECONDS:
            _write_progress(task, phase, pages)
            written_at, written = time.monotonic(), (phase, pages)

    return Attempt(task=task, deadline=deadline, report=report)


def _write_progress(task: Task, phase: str, pages: int) -> None:
    lease_until = timezone.now() + LEASE
    try:
        kept = _mine(task).update(phase=phase, pages_done=pages, lease_until=lease_until)
    except OperationalError as error:  # the render goes on; only its progress is not seen
        logger.warning("no progress written for task %s: %s", task.pk, error)
        return
    if not kept:
        raise ClaimLost


def _finish(task: Task, outcome: Outcome) -> None:
    published = _end(
        task,
        Task.Status.SUCCEEDED,
        file=outcome.file,
        digest=outcome.digest,
        fingerprint=outcome.fingerprint,
        result=outcome.facts,
        message=outcome.message,
    )
    if not published:
        store.delete(outcome.file)


def _fail(task: Task, error: errors.SpmsError) -> None:
    _end(task, Task.Status.FAILED, error=problem(error), message=str(error)[:500])


def _end(task: Task, status: Task.Status, **values: object) -> bool:
    ended = {"status": status, "finished_at": timezone.now(), "token": None, "lease_until": None, "phase": ""}
    return bool(_mine(task).update(**ended, **values))


def _mine(task: Task) -> QuerySet[Task]:
    """Return the row only while this claim holds it."""
    return Task.objects.filter(pk=task.pk, token=task.token, status=Task.Status.RUNNING)
