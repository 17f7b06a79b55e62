"""The order in which workers take tasks: people take turns, so that no one waits for all tasks of another.

A hint says that a task is due, not which one: the worker takes the task whose turn it is. So the order is the same
with every engine of the queue.
"""

import bisect
import threading
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

# Rank of the kind, turn of the person, start of the person's last task, age among equals, and the task itself.
type Key = tuple[int, int, float, int, uuid.UUID]


class Line:
    """The waiting tasks in the order in which workers take them, as it was read, and with those that joined it since.

    The n-th task of a person comes after the earlier ones of all others, and running tasks count as earlier ones.
    Among equals, the person goes first whose last task started longest ago. Kinds of low priority come
    after them, and tasks that nobody has asked for last.
    """

    def __init__(self, waiting: QuerySet[Task]) -> None:
        self._lock = threading.Lock()
        self._started_at, self._running = _recent_starts(), _running_counts()
        self._waiting: Counter[tuple[Person, int]] = Counter()
        self._keys: dict[uuid.UUID, Key] = {}
        rows = waiting.order_by("claimable_at", "pk").values_list(
            "pk", "requested_by_id", "kind", "routed_by"
        )
        for task_id, person, kind, rule in rows:
            self._add(task_id, person, kind, rule)
        self._sorted = sorted(self._keys.values())

    @property
    def running(self) -> int:
        """The number of tasks that workers run."""
        return self._running.total()

    def task_ids(self) -> list[uuid.UUID]:
        """Return the ids of the tasks in their order."""
        return [task_id for *_, task_id in self._sorted]

    def position_of(self, task_id: uuid.UUID) -> int | None:
        """Return the position of a task, from 1, or None if it was not in the line and has not joined it."""
        with self._lock:
            key = self._keys.get(task_id)
            return None if key is None else bisect.bisect_left(self._sorted, key) + 1

    def join(self, task: Task) -> int:
        """Return the position of a waiting task, which joins the line unless it is in it."""
        with self._lock:
            if task.pk not in self._keys:
                bisect.insort(
                    self._sorted, self._add(task.pk, task.requested_by_id, task.kind, task.routed_by)
                )
            return bisect.bisect_left(self._sorted, self._keys[task.pk]) + 1

    def _add(self, task_id: uuid.UUID, person: Person, kind: str, rule: str) -> Key:
        rank = 2 if rule == PRERENDER else int(registry.is_low_priority(kind))
        self._waiting[person, rank] += 1
        turn = self._running[person] + self._waiting[person, rank]
        started = self._started_at[person].timestamp() if person in self._started_at else 0.0
        key = self._keys[task_id] = (rank, turn, started, len(self._keys), task_id)
        return key


def next_due() -> uuid.UUID | None:
    """Return the id of the task whose turn it is, or None while none is due."""
    return next(iter(Line(Task.objects.due()).task_ids()), None)


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
