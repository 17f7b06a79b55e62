"""From a request to a task: joined or begun, run inline or handed to the queue, waited for as asked.

Inline and queue differ only in who calls ``tasks.run``: a thread of the web process, or a worker.
"""

import contextlib
import functools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from documents.models import Task, Viewer
from documents.queue import hints, lifecycle, statistics
from documents.queue.requests import TaskRequest
from metrics import flag, instruments

SPILL_SECONDS = 60.0


@functools.cache
def inline_slots() -> threading.BoundedSemaphore:
    """Return the slots of this process for tasks that run inline."""
    return threading.BoundedSemaphore(settings.SPMS_INLINE_SLOTS)


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


def submit(request: TaskRequest, *, user: Viewer, preferences: Preferences) -> tuple[Task, bool]:
    """Return the task for this input, ended if it could be in the time, and whether it is new.

    Raises QueueFull, TooManyTasks and whatever ``request.on_begin`` raises; nothing is stored then.
    """
    with _routed(preferences, request.estimate_seconds) as route:
        task, is_new = _begin(request, user, route)
        return _follow(task, route, preferences=preferences, is_owner=is_new), is_new


def _begin(request: TaskRequest, user: Viewer, route: Route) -> tuple[Task, bool]:
    if route.mode == Task.Mode.QUEUE:
        return hints.submit_in_background(request, user=user, rule=route.rule, is_limited=True)
    with transaction.atomic():
        task, is_new = lifecycle.get_or_create(request, user=user, mode=route.mode, rule=route.rule)
        request.on_begin(task)
    return task, is_new


def resubmit(task: Task, *, preferences: Preferences, user: Viewer) -> Task:
    """Let a failed or cancelled task run again. Raises TaskState, QueueFull and TooManyTasks."""
    with _routed(preferences, 0.0) as route:
        with transaction.atomic():
            lifecycle.retry(task.pk, mode=route.mode)
            if route.mode == Task.Mode.QUEUE:
                hints.check_capacity(user)
                hints.enqueue(Task.objects.get(pk=task.pk))
        return _follow(Task.objects.get(pk=task.pk), route, preferences=preferences, is_owner=True)


@contextlib.contextmanager
def _routed(preferences: Preferences, estimate_seconds: float) -> Iterator[Route]:
    """Give the route of a task; who renders inline holds one of the inline slots meanwhile, if one was free."""
    slots = inline_slots()
    has_slot = slots.acquire(blocking=False)
    try:
        route = _route(preferences, estimate_seconds, has_slot=has_slot)
        if has_slot and route.mode == Task.Mode.QUEUE:
            slots.release()
            has_slot = False
        instruments.count_routed(route.mode, route.rule)
        yield route
    finally:
        if has_slot:
            slots.release()


def _route(preferences: Preferences, estimate_seconds: float, *, has_slot: bool) -> Route:
    """Return who is to run a task. The rules for a single request hold only while the limits decide (auto)."""
    if preferences.respond_async and hints.has_live_workers():
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


def _follow(task: Task, route: Route, *, preferences: Preferences, is_owner: bool) -> Task:
    """Run or wait for a task as its route and the preferences say, and return it as it is then."""
    if route.mode == Task.Mode.QUEUE:
        if task.mode == Task.Mode.QUEUE and not preferences.wait_seconds:
            return task
        return lifecycle.wait(task.pk, deadline=time.monotonic() + (preferences.wait_seconds or 0))
    deadline = time.monotonic() + _max_inline_wait_seconds(preferences)
    task = lifecycle.run_or_wait(task.pk, deadline=deadline)
    if task.has_ended or not is_owner:
        return task
    return _move_to_queue_or_fail(task)


def _max_inline_wait_seconds(preferences: Preferences) -> float:
    """Return how long an inline request waits; less than the deadline only when workers can take over."""
    deadline_seconds = float(settings.SPMS_INLINE_DEADLINE)
    if preferences.wait_seconds is None or not hints.has_live_workers():
        return deadline_seconds
    return min(preferences.wait_seconds, deadline_seconds)


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
