"""From a request to a task: joined or begun, run inline or handed to the queue, waited for as asked.

Inline and queue differ only in who calls ``tasks.run``: a thread of the web process, or a worker.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from documents import queue, tasks
from documents.models import Document, Task, Viewer
from metrics import flag


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a client would like: to be answered at once, or after so many seconds at the latest."""

    respond_async: bool = False
    wait_seconds: float | None = None


def make(
    *,
    kind: str,
    fingerprint: str,
    document: Document | None,
    user: Viewer,
    wish: Wish,
    on_begin: Callable[[Task], None],
) -> tuple[Task, bool]:
    """Return the task for this input, ended if it could be in the time, and whether it is new.

    ``on_begin`` gets the task, new or joined, before anybody can have ended it.
    Raises QueueFull and TooManyTasks.
    """
    mode = _mode(wish)
    with transaction.atomic():
        task, is_new = tasks.begin(
            kind=kind, fingerprint=fingerprint, document=document, user=user, mode=mode
        )
        if is_new and mode == Task.Mode.QUEUE:
            queue.require_room(user)
            queue.enqueue(task)
        on_begin(task)
    return follow(task, wish=wish, is_owner=is_new), is_new


def again(task: Task, *, wish: Wish, user: Viewer) -> Task:
    """Let a failed or cancelled task run again. Raises TaskState, QueueFull and TooManyTasks."""
    mode = _mode(wish)
    with transaction.atomic():
        tasks.retry(task.pk, mode=mode)
        if mode == Task.Mode.QUEUE:
            queue.require_room(user)
            queue.enqueue(task)
    return follow(Task.objects.get(pk=task.pk), wish=wish, is_owner=True)


def follow(task: Task, *, wish: Wish, is_owner: bool) -> Task:
    """Run or wait for a task as its mode and the wish say, and return it as it is then."""
    if task.mode == Task.Mode.QUEUE and not wish.wait_seconds:
        return task
    if _mode(wish) == Task.Mode.QUEUE:
        return tasks.wait(task.pk, deadline=time.monotonic() + (wish.wait_seconds or 0))
    deadline = time.monotonic() + _patience_seconds(wish)
    task = tasks.run_or_wait(task.pk, deadline=deadline)
    if task.has_ended or not is_owner:
        return task
    return _hand_over_or_expire(task)


def _mode(wish: Wish) -> str:
    """Return who is to run it: a client's wish for the queue counts when there are workers."""
    if flag.mode() == "queue" or (wish.respond_async and queue.is_alive()):
        return Task.Mode.QUEUE
    return Task.Mode.INLINE


def _patience_seconds(wish: Wish) -> float:
    """Return how long an inline request waits; less than the deadline only when workers can take over."""
    deadline_seconds = float(settings.SPMS_INLINE_DEADLINE)
    if wish.wait_seconds is None or not queue.is_alive():
        return deadline_seconds
    return min(wish.wait_seconds, deadline_seconds)


def _hand_over_or_expire(task: Task) -> Task:
    """End the wait: the render goes on as a task of the queue when there are workers, and fails otherwise."""
    if queue.is_alive():
        with transaction.atomic():
            tasks.hand_over(task.pk)
            if task.status == Task.Status.QUEUED:
                queue.enqueue(task)
    else:
        tasks.expire(task.pk)
    return Task.objects.get(pk=task.pk)
