"""From a request for work to its answer, whatever the kind of task: begun or joined, and told as HTTP tells it."""

import time

from rest_framework.request import Request
from rest_framework.response import Response

from documents import exceptions
from documents.api import prefer_header
from documents.api.serializers import TaskSerializer
from documents.models import Task
from documents.queue import lifecycle, routing
from documents.queue.requests import TaskRequest
from metrics import instruments

JOINED_RETRY_AFTER_SECONDS = 2
MAX_RETRY_AFTER_SECONDS = 30


def respond_with_task(http_request: Request, task_request: TaskRequest) -> Response:
    """Have a task made as the request prefers: 201 when it is done now, 200 when joined and done, 202 otherwise.

    Raises what ended the task, when it ended badly while the request waited.
    """
    preferences, begun_at = prefer_header.parse_prefer(http_request), time.monotonic()
    task, is_new = routing.submit(task_request, user=http_request.user, preferences=preferences)
    if preferences.wait_seconds and task.mode == Task.Mode.QUEUE:
        instruments.exclude_client_wait(http_request._request, time.monotonic() - begun_at)
    if task.status == Task.Status.FAILED:
        raise lifecycle.exception_from(task)
    if task.status == Task.Status.CANCELLED:
        raise exceptions.TaskCancelled(task.message, task_id=str(task.pk))
    return task_response(task, 201 if is_new else 200, prefer_header.preference_applied(preferences, task))


def task_response(task: Task, status: int, headers: dict[str, str] | None = None) -> Response:
    """Return a task, as 202 while it has not ended."""
    data = TaskSerializer(task).data
    headers = {"Location": task.get_absolute_url(), **(headers or {})}
    if task.has_ended:
        return Response(data, status=status, headers=headers)
    seconds = data["queue"]["estimated_seconds"] if data["queue"] else JOINED_RETRY_AFTER_SECONDS
    headers["Retry-After"] = str(min(max(seconds, 1), MAX_RETRY_AFTER_SECONDS))
    return Response(data, status=202, headers=headers)
