"""The queue: tells workers of tasks, bounds how many wait, and tells them again when a hint was lost.

The one module that knows ``django.tasks``. A queue's entry carries an id and is only a hint: the task row is
the truth, so entries may be lost, repeated or late without harm.
"""

import logging
import time
import uuid
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet
from django.tasks import task
from django.utils import timezone

from documents import exceptions
from documents.models import Cluster, Pause, Task, Viewer
from documents.queue import clusters, leases, lifecycle, registry, statistics
from documents.queue.requests import TaskRequest

MAX_HINTS_PER_ROUND = 50
LOST_HINT_AGE = timedelta(seconds=5)
LOW_PRIORITY = -50  # the priority, of -100 to 100, of a task that nobody waits for
logger = logging.getLogger(__name__)


@task(backend="queue")
def run_task(task_id: str) -> None:
    """Run a task in a worker; while the queue is paused it stays, and ``resume`` tells the workers again."""
    if paused() is not None:
        return
    deadline = time.monotonic() + settings.SPMS_RENDER_TIMEOUT
    lifecycle.run(uuid.UUID(task_id), deadline=deadline, worker=clusters.worker_name())


def enqueue(waiting: Task) -> None:
    """Tell the workers of a task, in the transaction that made it."""
    with transaction.atomic(savepoint=False):
        if waiting.hinted_at is None:
            Task.objects.filter(pk=waiting.pk).update(hinted_at=timezone.now())
        _hint(waiting)


def submit_in_background(
    request: TaskRequest, *, user: Viewer, rule: str = "", is_limited: bool = False
) -> tuple[Task, bool]:
    """Begin or join a task of the queue, tell the workers if it is new, and return it and whether it is new.

    Only a task that is limited counts against the limits of the queue. Raises QueueFull and TooManyTasks for
    such a one, and whatever ``request.on_begin`` raises; nothing is stored then.
    """
    with transaction.atomic():
        submitted, is_new = lifecycle.get_or_create(request, user=user, mode=Task.Mode.QUEUE, rule=rule)
        if is_new:
            if is_limited:
                check_capacity(user)
            enqueue(submitted)
        request.on_begin(submitted)
    return submitted, is_new


def begin_scheduled(kind: str) -> None:
    """Begin a scheduled task, unless one of its kind is in flight."""
    submit_in_background(TaskRequest(kind=kind, fingerprint=kind), user=AnonymousUser())


def check_capacity(user: Viewer) -> None:
    """Raise QueueFull or TooManyTasks when the tasks that wait, one's own included, are too many."""
    waiting = Task.objects.waiting().aggregate(
        everybody=Count("pk"), own=Count("pk", filter=Q(requested_by_id=user.pk))
    )
    if waiting["everybody"] > settings.SPMS_QUEUE_LIMIT:
        raise exceptions.QueueFull(f"{settings.SPMS_QUEUE_LIMIT} tasks wait already. Try again in a minute.")
    limit = settings.SPMS_QUEUE_LIMIT_PER_USER
    if waiting["own"] > limit:
        raise exceptions.TooManyTasks(
            f"{limit} of your tasks wait already. Wait until some of them are done."
        )


def has_live_workers() -> bool:
    """Say whether a cluster of workers is there and takes tasks."""
    return Cluster.objects.accepting().exists()


def paused() -> Pause | None:
    """Return who paused the queue, when and why; None while it is not."""
    return Pause.objects.first()


def pause(*, by: str, reason: str) -> None:
    """Let workers finish what they run and take nothing new; PDFs are made inline meanwhile, or wait."""
    Pause.objects.get_or_create(pk=1, defaults={"by": by, "reason": reason})
    logger.warning("the queue was paused by %s: %s", by, reason)


def resume(*, by: str) -> None:
    """Let workers take tasks again; the recoverer tells them of all that waits."""
    with transaction.atomic():
        Pause.objects.all().delete()
        Task.objects.waiting().update(hinted_at=None)
    logger.warning("the queue was resumed by %s", by)


def retry(failed: Task) -> None:
    """Let a failed or cancelled task run again in the queue, whoever is there to run it.

    Raises TaskState and QueueFull.
    """
    with transaction.atomic():
        lifecycle.retry(failed.pk, mode=Task.Mode.QUEUE)
        check_capacity(AnonymousUser())
        enqueue(Task.objects.get(pk=failed.pk))


def recover() -> bool:
    """Return what dead workers held, and tell the workers of what they may not know; safe to run anywhere.

    Returns whether there is anything that workers should do.
    """
    if not Task.objects.in_flight().exists():
        return False
    leases.requeue_expired()
    if paused() is not None:
        return False
    for waiting in [*_unhinted()[:MAX_HINTS_PER_ROUND], *_possibly_lost()]:
        _hint_once(waiting)
    return True


def _hint_once(waiting: Task) -> None:
    """Enqueue a task unless another recoverer just did."""
    with transaction.atomic():
        same = Task.objects.waiting().filter(pk=waiting.pk, hinted_at=waiting.hinted_at)
        if same.update(hinted_at=timezone.now()):
            _hint(waiting)


def _hint(waiting: Task) -> None:
    """Enqueue a hint; one that can wait comes after all others where the backend knows priorities."""
    is_later = registry.is_low_priority(waiting.kind) and run_task.get_backend().supports_priority
    (run_task.using(priority=LOW_PRIORITY) if is_later else run_task).enqueue(str(waiting.pk))


def _unhinted() -> QuerySet[Task]:
    """Return the tasks that may run and that no worker was told of since."""
    unhinted = Q(hinted_at=None) | Q(hinted_at__lt=F("claimable_at"))
    return _due().filter(unhinted)


def _possibly_lost() -> list[Task]:
    """Return what waits although a worker is free: its hint was lost, or is just on its way."""
    free = statistics.live_workers() - statistics.running_in_queue().count()
    old = Q(hinted_at__lt=timezone.now() - LOST_HINT_AGE) | Q(hinted_at__gt=timezone.now() + LOST_HINT_AGE)
    return list(_due().filter(old)[:free]) if free > 0 else []


def _due() -> QuerySet[Task]:
    return Task.objects.due().order_by("claimable_at")
