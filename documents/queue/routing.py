"""From a request to a task: joined or begun, run inline or handed to the queue, waited for as asked.

Inline and queue differ only in who calls ``tasks.run``: a thread of the web process, or a worker.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction

from documents.models import Document, Task, Viewer
from documents.queue import hints, lifecycle, statistics
from metrics import flag, instruments

SPILL_SECONDS = 60.0

_inline_slots = threading.BoundedSemaphore(settings.SPMS_INLINE_SLOTS)


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """What a client would like: to be answered at once, or after so many seconds at the latest."""

    respond_async: bool = False
    wait_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Route:
    """Who runs a task, and by which rule."""

    mode: str
    rule: str


def submit(
    *,
    kind: str,
    fingerprint: str,
    document: Document | None,
    user: Viewer,
    wish: Preferences,
    estimate_seconds: float,
    on_begin: Callable[[Task], None],
    arguments: dict[str, Any] | None = None,
    source: str = "",
) -> tuple[Task, bool]:
    """Return the task for this input, ended if it could be in the time, and whether it is new.

    ``on_begin`` gets the task, new or joined, before anybody can have ended it.
    Raises QueueFull and TooManyTasks.
    """
    with _routed(wish, estimate_seconds) as route:
        with transaction.atomic():
            task, is_new = lifecycle.get_or_create(
                kind=kind,
                fingerprint=fingerprint,
                document=document,
                user=user,
                mode=route.mode,
                rule=route.rule,
                arguments=arguments,
                source=source,
            )
            if is_new and route.mode == Task.Mode.QUEUE:
                hints.check_capacity(user)
                hints.enqueue(task)
            on_begin(task)
        return _follow(task, route, wish=wish, is_owner=is_new), is_new


def resubmit(task: Task, *, wish: Preferences, user: Viewer) -> Task:
    """Let a failed or cancelled task run again. Raises TaskState, QueueFull and TooManyTasks."""
    with _routed(wish, 0.0) as route:
        with transaction.atomic():
            lifecycle.retry(task.pk, mode=route.mode)
            if route.mode == Task.Mode.QUEUE:
                hints.check_capacity(user)
                hints.enqueue(Task.objects.get(pk=task.pk))
        return _follow(Task.objects.get(pk=task.pk), route, wish=wish, is_owner=True)


@contextlib.contextmanager
def _routed(wish: Preferences, estimate_seconds: float) -> Iterator[Route]:
    """Give the route of a task; who renders inline holds one of the inline slots meanwhile, if one was free."""
    has_slot = _inline_slots.acquire(blocking=False)
    try:
        route = _route(wish, estimate_seconds, has_slot=has_slot)
        if has_slot and route.mode == Task.Mode.QUEUE:
            _inline_slots.release()
            has_slot = False
        instruments.count_routed(route.mode, route.rule)
        yield route
    finally:
        if has_slot:
            _inline_slots.release()


def _route(wish: Preferences, estimate_seconds: float, *, has_slot: bool) -> Route:
    """Return who is to run a task. The rules for a single request hold only while the limits decide (auto)."""
    if wish.respond_async and hints.has_live_workers():
        return Route(mode=Task.Mode.QUEUE, rule="client")
    if flag.mode() == "queue":
        return _route_in_queue_mode(estimate_seconds, has_slot=has_slot)
    if not flag.is_auto():
        return Route(mode=Task.Mode.INLINE, rule="mode")
    if estimate_seconds > settings.SPMS_INLINE_DEADLINE and hints.has_live_workers():
        return Route(mode=Task.Mode.QUEUE, rule="estimate")
    if not has_slot and hints.has_live_workers():
        return Route(mode=Task.Mode.QUEUE, rule="bulkhead")
    return Route(mode=Task.Mode.INLINE, rule="mode")


def _route_in_queue_mode(estimate_seconds: float, *, has_slot: bool) -> Route:
    if not hints.has_live_workers():
        # Better rendered here than never; what finds no slot waits until a worker comes.
        return Route(mode=Task.Mode.INLINE if has_slot else Task.Mode.QUEUE, rule="no_worker")
    is_short = estimate_seconds < settings.SPMS_INLINE_DEADLINE
    if flag.is_auto() and has_slot and is_short and statistics.estimated_wait_seconds() > SPILL_SECONDS:
        return Route(mode=Task.Mode.INLINE, rule="spill")
    return Route(mode=Task.Mode.QUEUE, rule="mode")


def _follow(task: Task, route: Route, *, wish: Preferences, is_owner: bool) -> Task:
    """Run or wait for a task as its route and the wish say, and return it as it is then."""
    if route.mode == Task.Mode.QUEUE:
        if task.mode == Task.Mode.QUEUE and not wish.wait_seconds:
            return task
        return lifecycle.wait(task.pk, deadline=time.monotonic() + (wish.wait_seconds or 0))
    deadline = time.monotonic() + _max_inline_wait_seconds(wish)
    task = lifecycle.run_or_wait(task.pk, deadline=deadline)
    if task.has_ended or not is_owner:
        return task
    return _move_to_queue_or_fail(task)


def _max_inline_wait_seconds(wish: Preferences) -> float:
    """Return how long an inline request waits; less than the deadline only when workers can take over."""
    deadline_seconds = float(settings.SPMS_INLINE_DEADLINE)
    if wish.wait_seconds is None or not hints.has_live_workers():
        return deadline_seconds
    return min(wish.wait_seconds, deadline_seconds)


def _move_to_queue_or_fail(task: Task) -> Task:
    """End the wait: the render goes on as a task of the queue when there are workers, and fails otherwise."""
    if hints.has_live_workers():
        with transaction.atomic():
            lifecycle.move_to_queue(task.pk)
            if task.status == Task.Status.QUEUED:
                hints.enqueue(task)
    else:
        lifecycle.fail_timed_out(task.pk)
    return Task.objects.get(pk=task.pk)
