"""A task's progress as server-sent events: for an ASGI server, where a stream that waits takes no thread."""

import asyncio
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
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_safe
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from documents import exceptions
from documents.api.serializers import TaskSerializer
from documents.api.tasks import TaskViewSet
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
    """Send the task now, and again whenever it changes, until it has ended; see docs/events.md."""
    refused = await sync_to_async(_refused)(request, task_id)
    if refused is not None:
        return refused
    if request.method == "HEAD":
        return HttpResponse(content_type="text/event-stream", headers=HEADERS)
    return StreamingHttpResponse(_lines(task_id), content_type="text/event-stream", headers=HEADERS)


class MayWatch(TaskViewSet):
    """Asks who it is and whether they may see the task, as ``GET tasks/{task_id}/`` does."""

    def check(self, request: Request, pk: str) -> Response:
        """Answer 204 when a stream may begin. Raises EventsUnavailable and EventsBusy."""
        self.get_object()
        instead = f"Ask {reverse('task-detail', args=[pk])}?wait=20 instead."
        if not isinstance(request._request, ASGIRequest):
            raise exceptions.EventsUnavailable(f"This server sends no events. {instead}")
        if hub.count >= settings.SPMS_EVENT_STREAMS:
            raise exceptions.EventsBusy(f"{hub.count} streams are open already. {instead}")
        return Response(status=204)


def _refused(request: HttpRequest, task_id: uuid.UUID) -> HttpResponseBase | None:
    response: HttpResponseBase = MayWatch.as_view({"get": "check"})(request, pk=str(task_id)).render()
    return None if response.status_code == 204 else response


async def _lines(task_id: uuid.UUID) -> AsyncIterator[str]:
    async with hub.watching(task_id) as stream:
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
    """Looks at the rows of all tasks that somebody watches: one look for all, and none when nobody does."""

    def __init__(self) -> None:
        self._streams: dict[uuid.UUID, set[Stream]] = {}
        self._known: dict[uuid.UUID, str] = {}
        self._looking: asyncio.Task[None] | None = None

    @property
    def count(self) -> int:
        """How many streams are open."""
        return sum(map(len, self._streams.values()))

    @asynccontextmanager
    async def watching(self, task_id: uuid.UUID) -> AsyncIterator[Stream]:
        """Give a stream that gets the task as it is now, and at each change."""
        stream: Stream = asyncio.Queue()
        self._streams.setdefault(task_id, set()).add(stream)
        self._known.pop(task_id, None)  # so that the newcomer hears of it, too
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            yield stream
        finally:
            self._streams[task_id].discard(stream)
            if not self._streams[task_id]:
                del self._streams[task_id]
                self._known.pop(task_id, None)

    async def _look(self) -> None:
        while self._streams:
            try:
                tasks = await sync_to_async(_read)(list(self._streams))
            except DatabaseError as error:
                logger.warning("the events wait for the database: %s", error)
                tasks = []
            for task in tasks:
                self._tell(task)
            await asyncio.sleep(POLL_INTERVAL_SECONDS)

    def _tell(self, task: dict[str, Any]) -> None:
        task_id, text = uuid.UUID(task["task_id"]), json.dumps(task, default=str)
        if self._known.get(task_id) == text:
            return
        self._known[task_id] = text
        for stream in self._streams.get(task_id, ()):
            stream.put_nowait(task)


def _read(task_ids: Iterable[uuid.UUID]) -> list[dict[str, Any]]:
    tasks = list(Task.objects.filter(pk__in=task_ids))
    context = {"places": statistics.positions(tasks)}
    return list(TaskSerializer(tasks, many=True, context=context).data)


hub = Hub()
