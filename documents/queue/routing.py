"""From a request to a task: begun or joined, run inline or enqueued, and waited for as the client prefers.

``lifecycle.run`` is called by a thread of the web process for an inline task, and by a worker for a queued one.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from documents import exceptions
from documents.infrastructure import slot_queue
from documents.models import Task, Viewer
from documents.queue import admission, hints, lifecycle, other_hosts, statistics, thread_shares
from documents.queue.requests import TaskRequest
from metrics import flag, instruments
from metrics.decisions.routing import Prospects, Route, choose


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """The preferences of a client: an answer at once, or after ``wait_seconds`` at the latest."""

    respond_async: bool = False
    wait_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class _Routing:
    """How a request is served: its route, and whether workers were live when it was chosen."""

    route: Route
    has_workers: bool
    preferences: Preferences


def submit(request: TaskRequest, *, user: Viewer, preferences: Preferences) -> tuple[Task, bool]:
    """Begin or join the task for a request, and wait for it as preferred; return it and whether it is new.

    Raises QueueFull, TooManyTasks, and whatever ``request.on_begin`` raises; in these cases nothing is stored.
    """
    with _routed(preferences, request.estimate_seconds) as routing:
        task, is_new = _begin(request, user, routing.route)
        return _follow(task, routing, is_owner=is_new), is_new


def _begin(request: TaskRequest, user: Viewer, route: Route) -> tuple[Task, bool]:
    if route.mode == "queue":
        return hints.submit_in_background(request, user=user, rule=route.rule, is_limited=True)
    with transaction.atomic():
        task, is_new = lifecycle.get_or_create(request, user=user, mode=route.mode, rule=route.rule)
        request.on_begin(task)
    return task, is_new


def resubmit(task: Task, *, preferences: Preferences, user: Viewer) -> Task:
    """Run a failed or cancelled task again. Raises TaskStateConflict, QueueFull and TooManyTasks."""
    with _routed(preferences, 0.0) as routing:
        with transaction.atomic():
            lifecycle.retry(task.pk, mode=routing.route.mode)
            if routing.route.mode == "queue":
                hints.check_capacity(user)
                hints.enqueue(Task.objects.get(pk=task.pk))
        return _follow(Task.objects.get(pk=task.pk), routing, is_owner=True)


@contextlib.contextmanager
def _routed(preferences: Preferences, estimate_seconds: float) -> Iterator[_Routing]:
    """Choose a route, and hold what an inline task needs while it runs: a thread, and a slot if one was free.

    Raises ServerBusy when no further thread may run a task inline.
    """
    with contextlib.ExitStack() as held:
        has_slot = held.enter_context(thread_shares.try_to_hold(thread_shares.inline_slots()))
        routing = _choose(preferences, estimate_seconds, has_slot=has_slot)
        if routing.route.mode == "queue":
            held.close()
        elif not held.enter_context(thread_shares.try_to_hold(thread_shares.inline_share())):
            raise exceptions.ServerBusy("As many PDFs as this server renders at once are being rendered.")
        instruments.count_routed(routing.route.mode, routing.route.rule)
        yield routing


def _choose(preferences: Preferences, estimate_seconds: float, *, has_slot: bool) -> _Routing:
    has_workers = hints.has_live_workers()
    inline_wait_seconds = statistics.inline_wait_seconds(_count_ahead(has_slot=has_slot))
    prospects = Prospects(
        inline_wait_seconds=inline_wait_seconds,
        queue_wait_seconds=statistics.estimated_wait_seconds,
        has_queue_ahead=lambda: statistics.has_queue_ahead(has_free_slot=not inline_wait_seconds),
        shares_queue=other_hosts.shares_queue,
        ready_elsewhere_seconds=lambda: other_hosts.ready_seconds(estimate_seconds),
    )
    route = choose(
        mode=flag.mode(),
        is_auto=flag.is_auto(),
        prefers_queue=preferences.respond_async,
        estimate_seconds=estimate_seconds,
        deadline_seconds=settings.SPMS_INLINE_DEADLINE,
        has_slot=has_slot,
        has_workers=has_workers,
        prospects=prospects,
    )
    return _Routing(route=route, has_workers=has_workers, preferences=preferences)


def _count_ahead(*, has_slot: bool) -> int:
    """Return how many renders of this machine come before a new one: some have no ticket yet, some are of others."""
    inline = thread_shares.inline_slots().held - has_slot
    return max(inline, slot_queue.count_tickets(slot_queue.render_slots_folder()))


def _follow(task: Task, routing: _Routing, *, is_owner: bool) -> Task:
    """Run a task or wait for it, according to its route and the preferences, and return it as it is afterwards."""
    if routing.route.mode == "queue":
        return wait_for_queue(task, routing.preferences.wait_seconds or 0)
    admission.leave()
    task = lifecycle.run_or_wait(task.pk, deadline=time.monotonic() + _max_inline_wait_seconds(routing))
    if task.has_ended or not is_owner:
        return task
    return _move_to_queue_or_fail(task)


def wait_for_queue(task: Task, max_seconds: float) -> Task:
    """Wait until a task has ended, for ``max_seconds`` at most, and return it as it is then.

    Return it at once when no further thread may wait.
    """
    if task.has_ended or not max_seconds:
        return task
    admission.leave()
    with thread_shares.try_to_hold(thread_shares.waiting_share()) as may_wait:
        return lifecycle.wait(task.pk, deadline=time.monotonic() + max_seconds) if may_wait else task


def _max_inline_wait_seconds(routing: _Routing) -> float:
    """Return how long an inline request waits: less than the deadline only if workers can take over."""
    deadline_seconds = float(settings.SPMS_INLINE_DEADLINE)
    if routing.preferences.wait_seconds is None or not routing.has_workers:
        return deadline_seconds
    return min(routing.preferences.wait_seconds, deadline_seconds)


def _move_to_queue_or_fail(task: Task) -> Task:
    """End the wait at the deadline: the task continues in the queue if workers are live, and fails otherwise."""
    if hints.has_live_workers():
        with transaction.atomic():
            lifecycle.move_to_queue(task.pk)
            if task.status == Task.Status.QUEUED:
                hints.enqueue(task)
    else:
        lifecycle.fail_timed_out(task.pk)
    return Task.objects.get(pk=task.pk)
