"""The queue: enqueues hints for workers, limits how many tasks wait, and enqueues lost hints again.

The only module that uses ``django.tasks``. A queue's entry carries a task's id and is only a hint: the task row
is authoritative, so an entry may be lost, repeated or late.
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
from documents.models.tasks import PRERENDER
from documents.queue import clusters, leases, lifecycle, registry, statistics, turns
from documents.queue.requests import TaskRequest

MAX_HINTS_PER_ROUND = 50
MAX_CLAIMS = 20
LOST_HINT_AGE = timedelta(seconds=5)
LOW_PRIORITY = -50  # from -100 to 100, for kinds of task with is_low_priority
logger = logging.getLogger(__name__)


@task(backend="queue")
def run_task(task_id: str) -> None:
    """Run the task whose turn it is in a worker, whatever task the hint names; that one, if none is due.

    Does nothing while the queue is paused, as ``resume`` has all tasks enqueued again.
    """
    hinted_id, worker = uuid.UUID(task_id), clusters.worker_name()
    if paused() is not None:
        return
    deadline = time.monotonic() + settings.SPMS_RENDER_TIMEOUT
    for _ in range(MAX_CLAIMS):  # another worker may be faster
        if (due_id := turns.next_due()) is None:
            break
        if lifecycle.run(due_id, deadline=deadline, worker=worker):
            return
    lifecycle.run(hinted_id, deadline=deadline, worker=worker)


def kind_of(task_id: str) -> str:
    """Return the kind of a task, or an empty string if it is gone."""
    return Task.objects.filter(pk=task_id).values_list("kind", flat=True).first() or ""


def enqueue(waiting: Task) -> None:
    """Enqueue a hint for a task, in the transaction that creates it."""
    with transaction.atomic(savepoint=False):
        if waiting.hinted_at is None:
            Task.objects.filter(pk=waiting.pk).update(hinted_at=timezone.now())
        _hint(waiting)


def submit_in_background(
    request: TaskRequest, *, user: Viewer, rule: str = "", is_limited: bool = False
) -> tuple[Task, bool]:
    """Begin or join a task of the queue, enqueue it if it is new, and return it and whether it is new.

    With ``is_limited``, raises QueueFull or TooManyTasks if a new task exceeds the limits of the queue. Also raises
    whatever ``request.on_begin`` raises. In all these cases nothing is stored.
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
    """Raise QueueFull or TooManyTasks if too many tasks wait, including the new one."""
    waiting = Task.objects.waiting().aggregate(
        total=Count("pk"), own=Count("pk", filter=Q(requested_by_id=user.pk))
    )
    if waiting["total"] > settings.SPMS_QUEUE_LIMIT:
        raise exceptions.QueueFull(
            f"{settings.SPMS_QUEUE_LIMIT} tasks are already waiting. Try again in a minute."
        )
    limit = settings.SPMS_QUEUE_LIMIT_PER_USER
    if waiting["own"] > limit:
        raise exceptions.TooManyTasks(
            f"{limit} of your tasks are already waiting. Wait until some of them are done."
        )


def has_live_workers() -> bool:
    """Return True if a live cluster takes tasks."""
    # Each request for a PDF asks this. Nearly always a heartbeat is fresh; looking for work costs ten times as much.
    is_live = Cluster.objects.beating().exists() or Cluster.objects.live().exists()
    return is_live and paused() is None


def paused() -> Pause | None:
    """Return the pause of the queue (who paused it, when and why), or None while it runs."""
    return Pause.objects.first()


def pause(*, by: str, reason: str) -> None:
    """Pause the queue: workers finish their tasks and take no new ones; PDFs are rendered inline, or wait."""
    Pause.objects.get_or_create(pk=1, defaults={"by": by, "reason": reason})
    logger.warning("the queue was paused by %s: %s", by, reason)


def resume(*, by: str) -> None:
    """Let workers take tasks again; ``recover`` enqueues all waiting tasks."""
    with transaction.atomic():
        Pause.objects.all().delete()
        Task.objects.waiting().update(hinted_at=None)
    logger.warning("the queue was resumed by %s", by)


def retry(failed: Task) -> None:
    """Let a failed or cancelled task run again in the queue, even without live workers.

    Raises TaskStateConflict and QueueFull.
    """
    with transaction.atomic():
        lifecycle.retry(failed.pk, mode=Task.Mode.QUEUE)
        check_capacity(AnonymousUser())
        enqueue(Task.objects.get(pk=failed.pk))


def recover() -> bool:
    """Requeue the tasks of dead workers, and enqueue hints that are missing or lost; safe to run concurrently.

    Returns True if any task is in flight and the queue is not paused.
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
    """Enqueue a hint unless another process has just done so."""
    with transaction.atomic():
        unchanged = Task.objects.waiting().filter(pk=waiting.pk, hinted_at=waiting.hinted_at)
        if unchanged.update(hinted_at=timezone.now()):
            _hint(waiting)


def _hint(waiting: Task) -> None:
    """Enqueue a hint, with low priority for such a task where the backend supports priorities."""
    is_last = waiting.routed_by == PRERENDER or registry.is_low_priority(waiting.kind)
    has_low_priority = is_last and run_task.get_backend().supports_priority
    (run_task.using(priority=LOW_PRIORITY) if has_low_priority else run_task).enqueue(str(waiting.pk))


def _unhinted() -> QuerySet[Task]:
    """Return the due tasks without a hint since they became due."""
    unhinted = Q(hinted_at=None) | Q(hinted_at__lt=F("claimable_at"))
    return _due().filter(unhinted)


def _possibly_lost() -> list[Task]:
    """Return tasks that are due although a worker is free: their hints were lost, or are on the way."""
    free_workers = statistics.live_workers() - statistics.running_in_queue().count()
    is_old = Q(hinted_at__lt=timezone.now() - LOST_HINT_AGE) | Q(hinted_at__gt=timezone.now() + LOST_HINT_AGE)
    return list(_due().filter(is_old)[:free_workers]) if free_workers > 0 else []


def _due() -> QuerySet[Task]:
    return Task.objects.due().order_by("claimable_at")
