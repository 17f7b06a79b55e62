"""A PDF that is made ahead of a request: it gives way to people, and leaves no trace if it does not succeed."""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

from django.db import transaction
from django.db.models import Exists
from django.utils import timezone

from documents.infrastructure import idleness, storage
from documents.models import Document, Prerender, Task, claimed_on
from documents.models.tasks import PRERENDER, PRERENDER_USED
from documents.queue import adoption, leases, lifecycle
from documents.queue.registry import LeaseLost, Reschedule, TaskContext, TaskOutput
from documents.tasks.pdf import annual_report
from metrics.durations import Monotonic

# A look at the database; the render slots are looked at with each report.
CHECK_INTERVAL_SECONDS = 0.03
STORE = "store"
# After a worker handed a pre-render back: long enough for a worker of another host to take it.
MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 1.0, 3.0

logger = logging.getLogger(__name__)


class _Interrupted(Exception):
    """Raised in the render of a pre-render that must not go on as it is; the message is the reason."""


def run(attempt: TaskContext, render: Callable[[TaskContext], TaskOutput]) -> TaskOutput:
    """Run a pre-render with ``render``; once a person has adopted it, it is a task like any other.

    Raises Reschedule while this host is not idle; LeaseLost after the pre-render gave way or failed, when its row is
    gone; if it was adopted, the errors of ``render``.
    """
    watch = _Watch(attempt)
    if attempt.task.attempts > 1 and discard(attempt.task, Prerender.Outcome.FAILED):
        logger.warning("a worker died over document %s, so nothing is made ahead", attempt.task.document_id)
        raise LeaseLost
    _require_idle_host(attempt.task)
    try:
        output = render(replace(attempt, report=watch.report))
    except LeaseLost:
        raise
    except _Interrupted as reason:
        return render(replace(attempt, task=watch.give_way(str(reason))))
    except Reschedule as error:
        watch.drop_or_raise(Prerender.Outcome.CANCELLED, error)
    except Exception as error:  # noqa: BLE001 (of any kind: nobody asked for this PDF, so nobody is told)
        watch.drop_or_raise(Prerender.Outcome.FAILED, error)
    Prerender.objects.open().filter(task=attempt.task).update(
        outcome=Prerender.Outcome.READY, seconds=watch.seconds(), changed_at=timezone.now()
    )
    lifecycle.publish(attempt.task, output)
    _draw_chapter(attempt.task, attempt.deadline)
    return output


def note_use(task: Task) -> None:
    """Note that somebody asked for a PDF that was made ahead; does nothing for any other task.

    It is one statement, as somebody waits: a supervisor settles the ledger seconds later.
    """
    if task.routed_by == PRERENDER:
        Task.objects.ahead().filter(pk=task.pk).update(routed_by=PRERENDER_USED)


def discard(task: Task, outcome: Prerender.Outcome, *, seconds: float = 0.0) -> bool:
    """Remove a pre-render that nobody has asked for; return False if it was adopted, used or removed before."""
    unasked = Task.objects.ahead().filter(pk=task.pk, token=task.token, status=task.status)
    cancelled = leases.terminal_fields(Task.Status.CANCELLED) | {"routed_by": PRERENDER_USED}
    with transaction.atomic():
        # First of all the rule changes, and no request can adopt or use it any more.
        if not unasked.update(**cancelled):
            return False
        Prerender.objects.filter(task=task).settle(outcome, seconds=seconds or None)
        Task.objects.filter(pk=task.pk).delete()
    if task.file:
        storage.delete(task.file)
    return True


def _require_idle_host(task: Task) -> None:
    """Hand a pre-render back while this host is not idle, which another one may be. Raises Reschedule."""
    reason = idleness.find_obstacle() or _find_another(task)
    if reason and adoption.is_ahead(task):
        logger.info("the PDF of document %s is not made ahead here: %s", task.document_id, reason)
        raise Reschedule(random.uniform(MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS))  # noqa: S311  # nosec B311


def _find_another(task: Task) -> str:
    """Return a text if another worker of this host makes a PDF ahead."""
    here = Task.objects.ahead().running().filter(claimed_on(storage.host()))
    return "another one is made here" if here.exclude(pk=task.pk).exists() else ""


def _draw_chapter(task: Task, deadline: Monotonic) -> None:
    """Draw what the annual report lacks now that this chapter of it is finished; errors of any kind are logged."""
    chapter = Document.objects.filter(tasks=task).first()
    if chapter is None:
        return
    try:
        count = annual_report.draw_ahead(chapter, deadline=deadline, report=_require_room)
    except _Interrupted:
        logger.info("the parts of the annual report of %d are not drawn ahead", chapter.year)
    except Exception as error:  # noqa: BLE001 (the report itself will say what is wrong)
        logger.warning("no parts of the annual report of %d are drawn ahead: %s", chapter.year, error)
    else:
        if count:
            logger.info("%d parts of the annual report of %d are drawn ahead", count, chapter.year)


def _require_room(_phase: str, _pages: int) -> None:
    if not idleness.has_room() or Task.objects.due().asked_for().exists():
        raise _Interrupted


class _Watch:
    """Looks, while a pre-render runs, whether it should go on."""

    def __init__(self, attempt: TaskContext) -> None:
        self._attempt, self._task = attempt, attempt.task
        self._began_at = time.monotonic()
        self._looked_at: Monotonic = 0.0
        self._is_ahead = True

    def seconds(self) -> float:
        """Return how long it has run."""
        return time.monotonic() - self._began_at

    def report(self, phase: str, pages: int) -> None:
        """Report progress. Raises _Interrupted when the pre-render should give way, before its row changes.

        So its rendering process is ended and its slot is free at once, however busy the database is.
        """
        if self._is_ahead and phase != STORE and (reason := self._find_reason_to_end()):
            self._is_ahead = adoption.is_ahead(self._task)
            # One that was adopted while it waits for a slot begins again, with the turn of a person.
            if self._is_ahead or phase == "wait":
                raise _Interrupted(reason)
        self._attempt.report(phase, pages)

    def give_way(self, reason: str) -> Task:
        """Remove the pre-render; return its task if somebody has just adopted it. Raises LeaseLost otherwise."""
        if discard(self._task, Prerender.Outcome.CANCELLED, seconds=self.seconds()):
            logger.info("the PDF of document %s is not made ahead: %s", self._task.document_id, reason)
            raise LeaseLost
        adopted = leases.held_by(self._task).first()
        if adopted is None:
            raise LeaseLost
        return adopted

    def drop_or_raise(self, outcome: Prerender.Outcome, error: Exception) -> NoReturn:
        """Raise LeaseLost for a pre-render that nobody has asked for, and the error for any other."""
        if not discard(self._task, outcome, seconds=self.seconds()):
            raise error
        logger.info("nothing was made ahead for document %s: %s", self._task.document_id, error)
        raise LeaseLost from error

    def _find_reason_to_end(self) -> str:
        if not idleness.has_room():
            return "the render slots are needed"
        if time.monotonic() - self._looked_at < CHECK_INTERVAL_SECONDS:
            return ""
        self._looked_at = time.monotonic()
        ledger = Prerender.objects.filter(task=self._task).values("version")
        unchanged = Document.objects.filter(tasks=self._task, version__in=ledger)
        is_task_due = unchanged.values_list(Exists(Task.objects.due().asked_for())).first()
        if is_task_due is None:
            return "the document has changed"
        return "a task is due" if is_task_due[0] else ""
