"""A PDF that is made ahead of a request: it gives way to people, and leaves no trace if it does not succeed."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

from django.conf import settings
from django.db import transaction
from django.db.models import Exists
from django.utils import timezone

from documents.infrastructure import slot_queue, storage
from documents.models import Document, Prerender, Task
from documents.models.tasks import PRERENDER, PRERENDER_USED
from documents.queue import adoption, leases, lifecycle
from documents.queue.registry import LeaseLost, Reschedule, TaskContext, TaskOutput
from documents.tasks.pdf import annual_report
from metrics.durations import Monotonic

CHECK_INTERVAL_SECONDS = 0.1

logger = logging.getLogger(__name__)


class _Adopted(Exception):
    """Raised where a pre-render that was adopted waits for a slot with its low priority."""


def run(attempt: TaskContext, render: Callable[[TaskContext], TaskOutput]) -> TaskOutput:
    """Run a pre-render with ``render``; once a person has adopted it, it is a task like any other.

    Raises LeaseLost after it gave way or failed, when its row is gone; if it was adopted, the errors of ``render``.
    """
    watch = _Watch(attempt)
    if attempt.task.attempts > 1 and discard(attempt.task, Prerender.Outcome.FAILED):
        logger.warning("a worker died over document %s, so nothing is made ahead", attempt.task.document_id)
        raise LeaseLost
    try:
        output = render(replace(attempt, report=watch.report))
    except LeaseLost:
        raise
    except _Adopted:
        return render(replace(attempt, task=Task.objects.get(pk=attempt.task.pk)))
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
    """Note that somebody asked for a PDF that was made ahead; does nothing for any other task."""
    if task.routed_by != PRERENDER:
        return
    with transaction.atomic():
        if Task.objects.ahead().filter(pk=task.pk).update(routed_by=PRERENDER_USED):
            Prerender.objects.filter(task=task).settle(Prerender.Outcome.USED)


def has_room() -> bool:
    """Return True while other processes use or await fewer than half of the render slots of this machine."""
    tickets = slot_queue.count_tickets(storage.run_folder() / slot_queue.RENDER_SLOTS, of_others=True)
    return 2 * tickets < int(settings.SPMS_RENDER_SLOTS)


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


class _GaveWay(Exception):
    """Raised where the parts of an annual report are no longer drawn ahead."""


def _draw_chapter(task: Task, deadline: Monotonic) -> None:
    """Draw what the annual report lacks now that this chapter of it is finished; errors of any kind are logged."""
    chapter = Document.objects.filter(tasks=task).first()
    if chapter is None:
        return
    try:
        count = annual_report.draw_ahead(chapter, deadline=deadline, report=_require_idleness)
    except _GaveWay:
        logger.info("the parts of the annual report of %d are not drawn ahead", chapter.year)
    except Exception as error:  # noqa: BLE001 (the report itself will say what is wrong)
        logger.warning("no parts of the annual report of %d are drawn ahead: %s", chapter.year, error)
    else:
        if count:
            logger.info("%d parts of the annual report of %d are drawn ahead", count, chapter.year)


def _require_idleness(_phase: str, _pages: int) -> None:
    if not has_room() or Task.objects.due().asked_for().exists():
        raise _GaveWay


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
        """Report progress. Raises LeaseLost when the pre-render gave way."""
        if self._is_ahead and (reason := self._find_reason_to_end()):
            self._give_way(reason, phase)
        self._attempt.report(phase, pages)

    def drop_or_raise(self, outcome: Prerender.Outcome, error: Exception) -> NoReturn:
        """Raise LeaseLost for a pre-render that nobody has asked for, and the error for any other."""
        if not discard(self._task, outcome, seconds=self.seconds()):
            raise error
        logger.info("nothing was made ahead for document %s: %s", self._task.document_id, error)
        raise LeaseLost from error

    def _find_reason_to_end(self) -> str:
        if not has_room():
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

    def _give_way(self, reason: str, phase: str) -> None:
        if discard(self._task, Prerender.Outcome.CANCELLED, seconds=self.seconds()):
            logger.info("the PDF of document %s is not made ahead: %s", self._task.document_id, reason)
            raise LeaseLost
        self._is_ahead = adoption.is_ahead(self._task)
        if phase == "wait" and not self._is_ahead:
            raise _Adopted
