"""Claims on tasks: each has a token and a lease, and is released or taken over when its worker dies.

Every change is one compare-and-set UPDATE, so a worker that has lost its claim can neither publish a result nor
undo the work of another. Claims and their ends are dated by the clock that all hosts share.
"""

import uuid
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from documents import exceptions
from documents.models import Failure, Task
from documents.models.failures import MAX_TRACEBACK_CHARACTERS
from documents.models.tasks import due, shared_now

LEASE = timedelta(seconds=30)


def expired() -> Q:
    """Return the condition for an expired lease; one that ends far in the future means a clock was set back."""
    now = shared_now()
    return Q(status=Task.Status.RUNNING) & (Q(lease_until__lt=now) | Q(lease_until__gt=now + 2 * LEASE))


def claimable() -> QuerySet[Task]:
    """Return the tasks of either mode that may be claimed now, those with an expired lease included."""
    taken_over = expired() & Q(attempts__lt=max_attempts())
    return Task.objects.in_flight().filter(due() | taken_over)


def claim(task_id: uuid.UUID, worker: str) -> Task | None:
    """Claim a task for ``worker`` and return it with its token, or None if it cannot be claimed now."""
    now = shared_now()
    claimed = (
        claimable()
        .filter(pk=task_id)
        .update(
            status=Task.Status.RUNNING,
            token=uuid.uuid4(),
            worker=worker,
            attempts=F("attempts") + 1,
            lease_until=now + LEASE,
            started_at=Coalesce("started_at", now),
            phase="",
            pages_done=0,
        )
    )
    return Task.objects.get(pk=task_id) if claimed else None


def is_first_attempt(task: Task) -> bool:
    """Return True if this claim is the first one of the task."""
    return task.lease_until is not None and task.started_at == task.lease_until - LEASE


def held_by(task: Task) -> QuerySet[Task]:
    """Return a queryset of the task that is empty unless this claim still holds it."""
    return Task.objects.filter(pk=task.pk, token=task.token, status=Task.Status.RUNNING)


def terminal_fields(status: Task.Status) -> dict[str, object]:
    """Return the values of the columns of a task that ends now with this status."""
    return {"status": status, "finished_at": shared_now(), "token": None, "lease_until": None, "phase": ""}


def release_worker(worker_prefix: str) -> int:
    """Requeue the tasks of workers whose names begin with ``worker_prefix``; return their number."""
    orphaned = Task.objects.running().filter(worker__startswith=worker_prefix)
    return orphaned.update(
        status=Task.Status.QUEUED, token=None, lease_until=None, hinted_at=None, attempts=F("attempts") - 1
    )


def requeue_expired() -> None:
    """Requeue the tasks with an expired lease; fail those that are out of attempts."""
    for task in Task.objects.running().filter(expired()):
        error = exceptions.WorkerLost("Its worker ended before the task did.")
        values = _out_of_attempts() if task.attempts >= max_attempts() else _requeued_fields()
        with transaction.atomic():
            if held_by(task).filter(expired()).update(**values):
                record_failure(task, error)


def _out_of_attempts() -> dict[str, object]:
    lost = exceptions.WorkerLost(f"Its worker ended in each of {max_attempts()} attempts.")
    return terminal_fields(Task.Status.FAILED) | {"error": lost.to_json(), "message": str(lost)}


def _requeued_fields() -> dict[str, object]:
    return {
        "status": Task.Status.QUEUED,
        "mode": Task.Mode.QUEUE,
        "token": None,
        "lease_until": None,
        "claimable_at": timezone.now(),
        "hinted_at": None,
    }


def record_failure(task: Task, error: exceptions.SpmsError, traceback: str = "") -> None:
    """Record the failure of this attempt for the maintainer."""
    Failure.objects.create(
        task=task,
        attempt=task.attempts,
        worker=task.worker,
        error=error.to_json(),
        traceback=traceback[-MAX_TRACEBACK_CHARACTERS:],
    )


def max_attempts() -> int:
    """Return the number of attempts after which a task fails for good."""
    return int(settings.SPMS_MAX_RETRIES) + 1
