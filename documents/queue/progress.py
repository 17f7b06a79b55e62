"""The progress of a running task: written to its row now and then, which also renews its lease."""

import logging
import time

from django.db import OperationalError

from documents.models import Task
from documents.models.tasks import shared_now
from documents.queue import leases
from documents.queue.registry import LeaseLost, TaskContext
from metrics.durations import Monotonic

LEASE_RENEWAL_SECONDS = leases.LEASE.total_seconds() / 3
PROGRESS_INTERVAL_SECONDS = 0.5
LEASE_CHECK_SECONDS = 0.7

logger = logging.getLogger(__name__)


def context_for(task: Task, deadline: Monotonic) -> TaskContext:
    """Return a context whose ``report`` writes progress, renews the lease, and checks that it still holds."""
    written_at = checked_at = time.monotonic()  # so that a short render writes no progress
    written = ("", 0)

    def report(phase: str, pages: int) -> None:
        nonlocal written_at, checked_at, written
        now = time.monotonic()
        age = now - written_at
        is_news = (phase, pages) != written and age > PROGRESS_INTERVAL_SECONDS
        if is_news or age > LEASE_RENEWAL_SECONDS:
            _write_progress(task, phase, pages)
            written_at, checked_at, written = now, now, (phase, pages)
        elif now - checked_at > LEASE_CHECK_SECONDS:
            _require_lease(task)
            checked_at = now

    return TaskContext(task=task, deadline=deadline, report=report)


def _write_progress(task: Task, phase: str, pages: int) -> None:
    lease_until = shared_now() + leases.LEASE
    try:
        is_held = leases.held_by(task).update(phase=phase, pages_done=pages, lease_until=lease_until)
    except OperationalError as error:  # the task continues without showing its progress
        logger.warning("no progress written for task %s: %s", task.pk, error)
        return
    if not is_held:
        raise LeaseLost


def _require_lease(task: Task) -> None:
    try:
        is_held = leases.held_by(task).exists()
    except OperationalError:
        return
    if not is_held:
        raise LeaseLost
