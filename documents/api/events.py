"""A task's progress as server-sent events: for an ASGI server, where a waiting stream takes no thread."""

import asyncio
import functools
import json
import logging
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Container, Iterable, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import User
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
from documents.api.serializers_tasks import TaskSerializer
from documents.models import Task
from documents.queue import statistics

POLL_INTERVAL_SECONDS = 0.5
# Proxies end a connection that is silent for a minute.
KEEPALIVE_SECONDS = 15.0
# How often the right to a silent stream is checked, and after how long a client must sign in again for another.
RIGHTS_INTERVAL_SECONDS = 15.0
MAX_STREAM_SECONDS = 900.0
HEADERS = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}

logger = logging.getLogger(__name__)

type TaskJson = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Stream:
    """An open stream: whose it is, and what is to be sent; None ends it."""

    user_id: int
    updates: asyncio.Queue[TaskJson | None] = field(default_factory=asyncio.Queue)


@require_safe
async def events(request: HttpRequest, task_id: uuid.UUID) -> HttpResponseBase:
    """Send the task now and after every change until it, or the right to see it, has ended; see docs/events.md."""
    allowed = await sync_to_async(_authorise_stream)(request, task_id)
    if isinstance(allowed, HttpResponse):
        return allowed
    if request.method == "HEAD":
        return HttpResponse(content_type="text/event-stream", headers=HEADERS)
    return StreamingHttpResponse(_lines(task_id, allowed), content_type="text/event-stream", headers=HEADERS)


def _authorise_stream(request: HttpRequest, task_id: uuid.UUID) -> int | HttpResponse:
    """Return the id of the user who may open a stream, or the problem that refuses it."""
    view = APIView()
    view.setup(request)
    try:
        user = authorise(view, task_id)
        _require_free_stream(request, task_id)
    except (APIException, exceptions.SpmsError, Http404, DatabaseError) as error:
        problem = view.handle_exception(error)
        headers = {**problem.headers, "Content-Type": str(problem.content_type)}
        return HttpResponse(JSONRenderer().render(problem.data), status=problem.status_code, headers=headers)
    return user.pk


def authorise(view: APIView, task_id: uuid.UUID) -> User:
    """Authenticate the view's request as every endpoint does, and return the sender, who may see the task.

    Raises AuthenticationFailed, NotAuthenticated, Throttled and Http404.
    """
    request = view.initialize_request(view.request)
    view.initial(request)
    get_object_or_404(Task.objects.for_user(request.user), pk=task_id)
    return cast("User", request.user)


def _require_free_stream(request: HttpRequest, task_id: uuid.UUID) -> None:
    """Raise EventsUnavailable or EventsBusy unless this server can send one more stream."""
    instead = f"Ask {reverse('task-detail', args=[task_id])}?wait=20 instead."
    if not isinstance(request, ASGIRequest):
        raise exceptions.EventsUnavailable(f"This server sends no events. {instead}")
    if (count := hub().count) >= settings.SPMS_EVENT_STREAMS:
        raise exceptions.EventsBusy(f"{count} streams are already open. {instead}")


async def _lines(task_id: uuid.UUID, user_id: int) -> AsyncIterator[str]:
    ends_at = time.monotonic() + MAX_STREAM_SECONDS
    async with hub().watching(task_id, user_id) as stream:
        yield "retry: 2000\n\n"
        while time.monotonic() < ends_at:
            try:
                task = await asyncio.wait_for(stream.updates.get(), KEEPALIVE_SECONDS)
            except TimeoutError:
                yield ":\n\n"
                continue
            if task is None:
                return
            yield f"event: task\ndata: {JSONRenderer().render(task).decode()}\n\n"
            if task["status"] not in Task.IN_FLIGHT:
                return


class Hub:
    """Polls the rows of all watched tasks with one query, and none while no stream is open."""

    def __init__(self) -> None:
        self._streams: dict[uuid.UUID, set[Stream]] = {}
        self._last_sent: dict[uuid.UUID, str] = {}
        self._rights_checked_at = 0.0
        self._poller: asyncio.Task[None] | None = None

    @property
    def count(self) -> int:
        """The number of open streams."""
        return sum(map(len, self._streams.values()))

    @asynccontextmanager
    async def watching(self, task_id: uuid.UUID, user_id: int) -> AsyncIterator[Stream]:
        """Yield a stream that receives the task as it is now, and after every change, while its user may see it."""
        stream = Stream(user_id)
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
                await self._update()
            except DatabaseError as error:
                logger.warning("the event streams wait for the database: %s", error)
                self._last_sent.clear()  # so that the next round sends what this one may have taken
            await asyncio.sleep(POLL_INTERVAL_SECONDS)

    async def _update(self) -> None:
        """Send every change to those who may see the task now, and end the streams of those who may not."""
        news = self._take_news(await sync_to_async(_read_tasks)(list(self._streams)))
        streams = self._streams_to_check(news)
        visible = await sync_to_async(_visible)({(stream.user_id, task_id) for task_id, stream in streams})
        for task_id, stream in streams:
            if (stream.user_id, task_id) not in visible:
                stream.updates.put_nowait(None)
            elif task_id in news:
                stream.updates.put_nowait(news[task_id])

    def _take_news(self, tasks: list[TaskJson]) -> dict[uuid.UUID, TaskJson]:
        """Return the tasks that have changed since they were last sent, and note that they are sent now."""
        texts = {uuid.UUID(task["task_id"]): json.dumps(task, default=str) for task in tasks}
        news = {
            task_id: task
            for (task_id, text), task in zip(texts.items(), tasks, strict=True)
            if task_id in self._streams and self._last_sent.get(task_id) != text
        }
        self._last_sent |= {task_id: texts[task_id] for task_id in news}
        return news

    def _streams_to_check(self, news: Container[uuid.UUID]) -> list[tuple[uuid.UUID, Stream]]:
        """Return the streams of changed tasks, and now and then all streams."""
        is_due = time.monotonic() - self._rights_checked_at > RIGHTS_INTERVAL_SECONDS
        if is_due:
            self._rights_checked_at = time.monotonic()
        return [
            (task_id, stream)
            for task_id, streams in self._streams.items()
            if is_due or task_id in news
            for stream in streams
        ]


def _visible(watched: Set[tuple[int, uuid.UUID]]) -> set[tuple[int, uuid.UUID]]:
    """Return those pairs of a user's id and a task's id of which the user may see the task now."""
    task_ids: defaultdict[int, set[uuid.UUID]] = defaultdict(set)
    for user_id, task_id in watched:
        task_ids[user_id].add(task_id)
    users = User.objects.filter(pk__in=list(task_ids)) if task_ids else ()
    return {
        (user.pk, task_id)
        for user in users
        for task_id in Task.objects.for_user(user)
        .filter(pk__in=task_ids[user.pk])
        .values_list("pk", flat=True)
    }


def _read_tasks(task_ids: Iterable[uuid.UUID]) -> list[TaskJson]:
    tasks = list(Task.objects.filter(pk__in=task_ids))
    context = {"places": statistics.positions(tasks)}
    return list(TaskSerializer(tasks, many=True, context=context).data)


@functools.cache
def hub() -> Hub:
    """Return the hub of this process, which all streams share; made at first use."""
    return Hub()
