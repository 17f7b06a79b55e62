"""The responses of endpoints that create tasks, whatever their kind: a task is begun or joined, then shown."""

import hashlib
import json
import math
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from documents import exceptions
from documents.api import prefer_header
from documents.api.serializers_tasks import TaskSerializer
from documents.infrastructure import storage
from documents.models import Task
from documents.queue import end_watcher, lifecycle, routing, states, statistics
from documents.queue.requests import TaskRequest
from metrics import instruments

MAX_RETRY_AFTER_SECONDS = 30


def respond_with_task(http_request: Request, task_request: TaskRequest) -> Response:
    """Begin or join a task as the request prefers: 201 if it has ended, 200 if it was joined and has, otherwise 202.

    Raises the task's own error if it failed while the request waited, TaskCancelled, and what ``routing.submit``
    raises.
    """
    preferences, begun_at = prefer_header.parse_prefer(http_request), time.monotonic()
    with ending_with_client(http_request):
        task, is_new = routing.submit(task_request, user=http_request.user, preferences=preferences)
    if preferences.wait_seconds and task.mode == Task.Mode.QUEUE:
        instruments.exclude_client_wait(http_request._request, time.monotonic() - begun_at)
    if task.status == Task.Status.FAILED:
        raise lifecycle.exception_from(task)
    if task.status == Task.Status.CANCELLED:
        raise exceptions.TaskCancelled(task.message, task_id=str(task.pk))
    return task_response(task, 201 if is_new else 200, prefer_header.preference_applied(preferences, task))


def respond_with_upload(http_request: Request, task_request: TaskRequest) -> Response:
    """Respond as ``respond_with_task`` does, and delete the request's upload unless a task has it.

    ``task_request.source`` must be a file that this HTTP request stored. It is not needed if the request was refused,
    or joined a task that has the same file under another name. A failed task keeps its source, for a retry.
    """
    try:
        return respond_with_task(http_request, task_request)
    finally:
        if not Task.objects.filter(source=task_request.source).exists():
            storage.delete(task_request.source)


def task_response(task: Task, status: int, headers: dict[str, str] | None = None) -> Response:
    """Return a task, with ``status`` if it has ended and otherwise 202 and a ``Retry-After`` in seconds."""
    location = {"Location": task.get_absolute_url()}
    return status_response(task, status if task.has_ended else 202, location | (headers or {}))


def status_response(task: Task, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a task with ``status``, and a ``Retry-After`` in seconds until it has ended."""
    data, headers = TaskSerializer(task).data, headers or {}
    if not task.has_ended:
        headers |= {"Retry-After": str(_retry_after_seconds(data))}
    return Response(data, status=status, headers=headers)


def _retry_after_seconds(data: Mapping[str, Any]) -> int:
    """Return when it is worth asking again, between 1 and 30 seconds: after half of the time that it probably takes.

    So a client is a second late at most when the queue moves as expected, and asks a few times only.
    """
    seconds = data["queue"]["estimated_seconds"] if data["queue"] else statistics.mean_service_seconds()
    return min(max(math.ceil(seconds / 2), 1), MAX_RETRY_AFTER_SECONDS)


def tagged_response(request: Request, task: Task) -> Response:
    """Return a task with the ETag of its state; ``spms.repeated_statuses`` answers those who have it.

    The tag is weak, as the estimate of an unchanged task, which ticks down, is no news.
    """
    response = status_response(task)
    position = response.data["queue"]["position"] if response.data["queue"] else None
    stable = json.dumps(response.data | {"queue": position}, default=str)
    response.headers["ETag"] = f'W/"{hashlib.sha256(stable.encode()).hexdigest()[:32]}"'
    response.headers["Vary"] = "Authorization, Cookie"
    if not task.has_ended:
        request._request.spms_task_state = states.state_of(task, position)  # type: ignore[attr-defined]
    return response


def ending_with_client(request: Request) -> AbstractContextManager[None]:
    """End the waits in the block when the client of the request has left."""
    return end_watcher.waiting_for_client(partial(instruments.has_client_left, request._request))
