"""Adoption: a task that was begun ahead of a request becomes the task of the person who asks for it now."""

from django.db import transaction
from django.db.models import Case, F, Value, When
from django.utils import timezone

from documents.infrastructure import log_context
from documents.models import Prerender, Task, Viewer
from documents.models.tasks import PRERENDER


def adopt(task: Task, *, user: Viewer, mode: str, rule: str) -> Task | None:
    """Give a pre-render in flight to a person and return it; None if it is not one, or has just ended.

    Its times begin now, as this is when the person began to wait. A worker that runs it goes on in the queue.
    """
    now = timezone.now()
    unasked = Task.objects.in_flight().ahead().filter(pk=task.pk)
    has_begun = When(started_at__isnull=False, then=Value(now))
    with transaction.atomic():
        adopted = unasked.update(
            requested_by_id=user.pk,
            routed_by=rule,
            request_id=log_context.request_id.get(),
            created_at=now,
            claimable_at=now,
            started_at=Case(has_begun),
            mode=Case(When(status=Task.Status.RUNNING, then=F("mode")), default=Value(mode)),
        )
        if not adopted:
            return None
        Prerender.objects.filter(task=task).settle(Prerender.Outcome.USED)
    return Task.objects.get(pk=task.pk)


def is_ahead(task: Task) -> bool:
    """Return True while nobody has asked for a task that was begun ahead of any request."""
    return task.routed_by == PRERENDER and Task.objects.ahead().filter(pk=task.pk).exists()
