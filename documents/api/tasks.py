"""The endpoints of tasks: list them, wait for their end, download their files, cancel and retry them."""

import time
from typing import Any

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from documents import exceptions
from documents.api import downloads, prefer_header, task_responses
from documents.api.filters import TaskFilter
from documents.api.query_parameters import TaskParameters
from documents.api.serializers_tasks import ProblemSerializer, TaskSerializer
from documents.api.strict import require_no_body
from documents.models import Task
from documents.queue import lifecycle, registry, routing
from metrics import instruments

IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", str, OpenApiParameter.HEADER, description="The ETag of the state that the client has."
)
ETAG = OpenApiParameter(
    "ETag",
    str,
    OpenApiParameter.HEADER,
    response=[200, 304],
    description="The state: all but the estimated time, as a weak tag.",
)
RETRY_AFTER = OpenApiParameter(
    "Retry-After",
    int,
    OpenApiParameter.HEADER,
    response=[200, 304],
    description="Unless the task has ended: ask again after so many seconds.",
)


class TaskViewSet(mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet[Task]):
    """Tasks of documents that the sender may read, and the sender's own exports."""

    serializer_class = TaskSerializer
    filterset_class = TaskFilter
    expensive_actions = frozenset({"retry"})
    lookup_value_regex = "[0-9a-f-]{36}"

    def get_queryset(self) -> QuerySet[Task]:
        """Return the tasks that the sender may see."""
        return Task.objects.for_user(self.request.user)

    @extend_schema(
        parameters=[TaskParameters, IF_NONE_MATCH, ETAG, RETRY_AFTER],
        responses={200: TaskSerializer, 304: OpenApiResponse(description="The client has this state.")},
    )
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return a task; with ``wait``, as soon as it has ended or the time is up."""
        wait_seconds, begun_at = TaskParameters.parse(request).get("wait", 0), time.monotonic()
        with task_responses.ending_with_client(request):
            task = routing.wait_for_queue(self.get_object(), wait_seconds)
        if wait_seconds:
            instruments.exclude_client_wait(request._request, time.monotonic() - begun_at)
            task = self.get_object()  # the right may have ended during the wait
        return task_responses.tagged_response(request, task)

    @extend_schema(parameters=downloads.PARAMETERS, responses=downloads.response_schemas("*/*"))
    @action(detail=True, methods=["get"])
    def file(self, request: Request, pk: str) -> HttpResponseBase:
        """Send the file of a task."""
        task = self.get_object()
        if registry.result_url(task) is None:
            raise exceptions.FileMissing("This task has no file; its status and message say why.")
        if not registry.may_read_file(task, request.user):
            raise exceptions.FileMissing("You may no longer read everything in this file. Make a new one.")
        try:
            return downloads.send_result(request, task)
        except FileNotFoundError as error:
            raise exceptions.FileMissing("The file was removed. Request it again.") from error

    @extend_schema(request=None, responses={200: TaskSerializer, 409: ProblemSerializer})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel a task that has not ended yet."""
        require_no_body(request)
        task = self.get_object()
        lifecycle.cancel(task.pk, by=request.user.get_username())
        return Response(TaskSerializer(self.get_object()).data)

    @extend_schema(
        parameters=[prefer_header.PREFER],
        request=None,
        responses={200: TaskSerializer, 202: TaskSerializer, 409: ProblemSerializer},
    )
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Run a failed or cancelled task again, with all its attempts."""
        require_no_body(request)
        preferences = prefer_header.parse_prefer(request)
        with task_responses.ending_with_client(request):
            task = routing.resubmit(self.get_object(), preferences=preferences, user=request.user)
        return task_responses.task_response(task, 200, prefer_header.preference_applied(preferences, task))
