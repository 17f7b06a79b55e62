"""The order in which workers take tasks: people take turns, so that no one waits for all tasks of another.

A hint says that a task is due, not which one: the worker takes the task whose turn it is. So the order is the same
with every engine of the queue.
"""

import uuid
from collections import Counter
from datetime import datetime, timedelta

from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from documents.models import Task
from documents.models.tasks import PRERENDER
from documents.queue import registry

# A person whose last task started earlier counts as one who has had none.
RECENT = timedelta(minutes=5)

type Person = int | None  # work without a requester counts as the work of one person


def in_order(waiting: QuerySet[Task]) -> list[uuid.UUID]:
    """Return the ids of waiting tasks in the order in which workers take them.

    The n-th task of a person comes after the earlier ones of all others, and running tasks count as earlier ones.
    Among equals, the person goes first whose last task started longest ago. Kinds of low priority come
    after them, and tasks that nobody has asked for last.
    """
    rows = waiting.order_by("claimable_at", "pk").values_list("pk", "requested_by_id", "kind", "routed_by")
    started_at, running = _recent_starts(), _running_counts()
    waiting_counts: Counter[tuple[Person, int]] = Counter()
    keys: dict[uuid.UUID, tuple[int, int, float]] = {}
    for task_id, person, kind, rule in rows:
        rank = 2 if rule == PRERENDER else int(registry.is_low_priority(kind))
        waiting_counts[person, rank] += 1
        turn = running[person] + waiting_counts[person, rank]
        keys[task_id] = (rank, turn, started_at[person].timestamp() if person in started_at else 0.0)
    return sorted(keys, key=keys.__getitem__)


def next_due() -> uuid.UUID | None:
    """Return the id of the task whose turn it is, or None while none is due."""
    return next(iter(in_order(Task.objects.due())), None)


def _running_counts() -> Counter[Person]:
    running = Task.objects.running().filter(mode=Task.Mode.QUEUE)
    return Counter(running.values_list("requested_by_id", flat=True))


def _recent_starts() -> dict[Person, datetime]:
    """Return when the latest task of each person started, for those with a recent one."""
    since = timezone.now() - RECENT
    is_recent = Q(finished_at__gt=since) | Q(finished_at=None, started_at__gt=since)
    started = Task.objects.filter(is_recent, mode=Task.Mode.QUEUE).exclude(started_at=None)
    latest = started.order_by().values_list("requested_by_id").annotate(at=Max("started_at"))
    return dict(latest)
