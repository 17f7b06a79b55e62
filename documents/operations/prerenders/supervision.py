"""Begin PDFs ahead of a request while nothing is in the way, and settle what became of them."""

import contextlib
import logging
from collections.abc import Iterator
from datetime import timedelta

import psutil
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import F, Q
from django.utils import timezone

from documents.models import Document, Prerender, Task
from documents.models.tasks import PRERENDER, PRERENDER_USED
from documents.operations.prerenders import candidates, conditions
from documents.queue import hints, lifecycle
from documents.tasks.pdf import prerender, task as pdf_task

MAX_CONSIDERED = 5
MAX_SETTLED = 50
# No worker has taken it, or its worker died.
MAX_WAIT = timedelta(seconds=30)
MAX_UNUSED_AGE = timedelta(days=7)

logger = logging.getLogger(__name__)


class Prerenderer:
    """Makes PDFs ahead of requests for one cluster; call both methods every few seconds from one thread."""

    def __init__(self) -> None:
        self._is_measured = False

    def begin_next(self) -> None:
        """Begin one PDF if a document is due and nothing is in the way. Raises DatabaseError and InterfaceError."""
        busy_percent = psutil.cpu_percent()  # since the last call: the first one measures nothing
        if settings.SPMS_PRERENDER_AFTER is not None and self._is_measured:
            with _other_errors_logged():
                _begin_next(busy_percent)
        self._is_measured = True

    def settle(self) -> None:
        """Settle what was used, and remove PDFs that nobody will ask for, and lost tasks.

        Raises DatabaseError and InterfaceError.
        """
        with _other_errors_logged():
            _settle_used()
            _settle_ready()
            _settle_running()


@contextlib.contextmanager
def _other_errors_logged() -> Iterator[None]:
    """Log any error but those of the database: it must not end the supervisor."""
    try:
        yield
    except (DatabaseError, InterfaceError):
        raise
    except Exception:
        logger.exception("pre-rendering failed")


def _begin_next(busy_percent: float) -> None:
    for number, document in enumerate(candidates.ranked()):
        if number == MAX_CONSIDERED or (number == 0 and conditions.find_obstacle(busy_percent)):
            return
        if _begin(document):
            return


def _begin(document: Document) -> bool:
    """Begin a pre-render; return False if another supervisor was faster, or the document needs none."""
    row = _claim(document)
    if row is None:
        return False
    try:
        return _submit(document, row)
    except (DatabaseError, InterfaceError):
        raise
    except Exception:
        Prerender.objects.filter(pk=row.pk).settle(Prerender.Outcome.FAILED)
        raise


def _claim(document: Document) -> Prerender | None:
    """Return the row of this version, which is new or gave way before, if this process may begin it."""
    row, is_new = Prerender.objects.get_or_create(document=document, version=document.version)
    if is_new:
        return row
    now = timezone.now()
    unchanged = Prerender.objects.filter(
        pk=row.pk, outcome=Prerender.Outcome.CANCELLED, attempts=row.attempts
    )
    begun = {"outcome": Prerender.Outcome.RUNNING, "begun_at": now, "changed_at": now, "seconds": 0.0}
    return row if unchanged.update(attempts=F("attempts") + 1, **begun) else None


def _submit(document: Document, row: Prerender) -> bool:
    request = None if candidates.is_too_long(document) else pdf_task.request_for(document)
    if request is None or lifecycle.latest_result(request.kind, request.fingerprint):
        Prerender.objects.filter(pk=row.pk).update(outcome=Prerender.Outcome.NEEDLESS)
        return False
    with transaction.atomic():
        task, is_new = hints.submit_in_background(request, user=AnonymousUser(), rule=PRERENDER)
        values = {"task": task} if is_new else {"outcome": Prerender.Outcome.NEEDLESS}
        Prerender.objects.filter(pk=row.pk).update(**values)
    return is_new


def _settle_used() -> None:
    """Settle the pre-renders whose PDF somebody has asked for."""
    used = Prerender.objects.filter(outcome=Prerender.Outcome.READY, task__routed_by=PRERENDER_USED)
    for pk in used.values_list("pk", flat=True)[:MAX_SETTLED]:
        Prerender.objects.filter(pk=pk).settle(Prerender.Outcome.USED)


def _settle_ready() -> None:
    """Remove the PDFs of versions that are no longer current, and those that nobody has asked for in a week."""
    ready = Prerender.objects.filter(outcome=Prerender.Outcome.READY).exclude(task__status__in=Task.IN_FLIGHT)
    is_old = Q(changed_at__lt=timezone.now() - MAX_UNUSED_AGE)
    is_outdated = ~Q(version=F("document__version"))
    for row in ready.filter(is_old | is_outdated).select_related("task")[:MAX_SETTLED]:
        _remove(row, Prerender.Outcome.UNUSED)


def _settle_running() -> None:
    """Settle the pre-renders whose task was lost, has ended without a PDF, or waits for too long."""
    is_late = Q(begun_at__lt=timezone.now() - MAX_WAIT)
    running = Prerender.objects.filter(outcome=Prerender.Outcome.RUNNING)
    # A worker of an earlier version made it, which knows no pre-renders. An update would lock SQLite each time.
    for pk in running.filter(task__status=Task.Status.SUCCEEDED).values_list("pk", flat=True)[:MAX_SETTLED]:
        Prerender.objects.filter(pk=pk).update(outcome=Prerender.Outcome.READY)
    for row in running.filter(Q(task=None) & is_late).select_related("task")[:MAX_SETTLED]:
        _remove(row, Prerender.Outcome.FAILED)
    ended = Q(task__status__in=(Task.Status.FAILED, Task.Status.CANCELLED))
    is_interrupted = Q(task__status__in=Task.WAITING) & Q(task__attempts__gt=0)
    for row in running.filter(ended | is_interrupted).select_related("task")[:MAX_SETTLED]:
        _remove(row, Prerender.Outcome.FAILED)
    for row in running.filter(is_late, task__status__in=Task.WAITING).select_related("task")[:MAX_SETTLED]:
        _remove(row, Prerender.Outcome.CANCELLED)


def _remove(row: Prerender, outcome: Prerender.Outcome) -> None:
    if row.task is None:
        Prerender.objects.filter(pk=row.pk).settle(outcome)
    else:
        prerender.discard(row.task, outcome)
