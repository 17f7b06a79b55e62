"""A task's progress as server-sent events: for an ASGI server, where a waiting stream takes no thread."""

import asyncio
import functools
import json
import logging
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_safe
from rest_framework.exceptions import APIException
from rest_framework.generics import get_object_or_404
from rest_framework.renderers import JSONRenderer
from rest_framework.views import APIView

from documents import exceptions
from documents.api.serializers import TaskSerializer
from documents.models import Task
from documents.queue import statistics

POLL_INTERVAL_SECONDS = 0.5
# Proxies end a connection that is silent for a minute.
KEEPALIVE_SECONDS = 15.0
HEADERS = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}

logger = logging.getLogger(__name__)

type Stream = asyncio.Queue[dict[str, Any]]


@require_safe
async def events(request: HttpRequest, task_id: uuid.UUID) -> HttpResponseBase:
    """Send the task now and after every change until it has ended; see docs/events.md."""
    problem = await sync_to_async(_find_problem)(request, task_id)
    if problem is not None:
        return problem
    if request.method == "HEAD":
        return HttpResponse(content_type="text/event-stream", headers=HEADERS)
    return StreamingHttpResponse(_lines(task_id), content_type="text/event-stream", headers=HEADERS)


def _find_problem(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse | None:
    """Return the problem that refuses a stream, or None."""
    view = APIView()
    view.setup(request)
    try:
        authorise(view, task_id)
        _require_free_stream(request, task_id)
    except (APIException, exceptions.SpmsError, Http404, DatabaseError) as error:
        problem = view.handle_exception(error)
        headers = {**problem.headers, "Content-Type": str(problem.content_type)}
        return HttpResponse(JSONRenderer().render(problem.data), status=problem.status_code, headers=headers)
    return None


def authorise(view: APIView, task_id: uuid.UUID) -> None:
    """Authenticate the view's request as every endpoint does, and check that the sender may see the task.

    Raises AuthenticationFailed, NotAuthenticated, Throttled and Http404.
    """
    request = view.initialize_request(view.request)
    view.initial(request)
    get_object_or_404(Task.objects.for_user(request.user), pk=task_id)


def _require_free_stream(request: HttpRequest, task_id: uuid.UUID) -> None:
    """Raise EventsUnavailable or EventsBusy unless this server can send one more stream."""
    instead = f"Ask {reverse('task-detail', args=[task_id])}?wait=20 instead."
    if not isinstance(request, ASGIRequest):
        raise exceptions.EventsUnavailable(f"This server sends no events. {instead}")
    if (count := hub().count) >= settings.SPMS_EVENT_STREAMS:
        raise exceptions.EventsBusy(f"{count} streams are already open. {instead}")


async def _lines(task_id: uuid.UUID) -> AsyncIterator[str]:
    async with hub().watching(task_id) as stream:
        yield "retry: 2000\n\n"
        while True:
            try:
                task = await asyncio.wait_for(stream.get(), KEEPALIVE_SECONDS)
            except TimeoutError:
                yield ":\n\n"
                continue
            yield f"event: task\ndata: {JSONRenderer().render(task).decode()}\n\n"
            if task["status"] not in Task.IN_FLIGHT:
                return


class Hub:
    """Polls the rows of all watched tasks with one query, and none while no stream is open."""

    def __init__(self) -> None:
        self._streams: dict[uuid.UUID, set[Stream]] = {}
        self._last_sent: dict[uuid.UUID, str] = {}
        self._poller: asyncio.Task[None] | None = None

    @property
    def count(self) -> int:
        """The number of open streams."""
        return sum(map(len, self._streams.values()))

    @asynccontextmanager
    async def watching(self, task_id: uuid.UUID) -> AsyncIterator[Stream]:
        """Yield a stream that receives the task as it is now, and after every change."""
        stream: Stream = asyncio.Queue()
        self._streams.setdefault(task_id, set()).add(stream)
        self._last_sent.pop(task_id, None)  # so that the new stream gets it, too
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        try:
            yield stream
        finally:
            self._streams[task_id].discard(stream)
            if not self._streams[task_id]:
                del self._streams[task_id]
                self._last_sent.pop(task_id, None)

    async def _poll(self) -> None:
        while self._streams:
            try:
                tasks = await sync_to_async(_read_tasks)(list(self._streams))
            except DatabaseError as error:
                logger.warning("the event streams wait for the database: %s", error)
                tasks = []
            for task in tasks:
                self._send(task)
            await asyncio.sleep(POLL_INTERVAL_SECONDS)

    def _send(self, task: dict[str, Any]) -> None:
        task_id, text = uuid.UUID(task["task_id"]), json.dumps(task, default=str)
        if self._last_sent.get(task_id) == text:
            return
        self._last_sent[task_id] = text
        for stream in self._streams.get(task_id, ()):
            stream.put_nowait(task)


def _read_tasks(task_ids: Iterable[uuid.UUID]) -> list[dict[str, Any]]:
    tasks = list(Task.objects.filter(pk__in=task_ids))
    context = {"places": statistics.positions(tasks)}
    return list(TaskSerializer(tasks, many=True, context=context).data)


@functools.cache
def hub() -> Hub:
    """Return the hub of this process, which all streams share; made at first use."""
    return Hub()
