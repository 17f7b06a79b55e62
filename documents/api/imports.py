"""The endpoints of imports, for staff: check a file, or import it; import the file of a check that was clean."""

import uuid
from dataclasses import replace
from typing import Any, cast

from django.contrib.auth.models import User
from django.http import QueryDict
from drf_spectacular.utils import extend_schema
from rest_framework import parsers, serializers
from rest_framework.generics import get_object_or_404
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from documents.api import prefer_header, task_responses
from documents.api.images import YES_OR_NO
from documents.api.serializers import ProblemSerializer, SubscriptionRequestSerializer, TaskSerializer
from documents.infrastructure import storage
from documents.models import Task
from documents.queue.requests import TaskRequest
from documents.tasks.imports import reader, task as imports
from documents.tasks.imports.resources import RESOURCES
from documents.tasks.imports.task import KIND, ImportRequest
from documents.tasks.notifications import task as notification_task

BOOLEANS = ("dry_run", "notify")
RESPONSES: dict[int, Any] = {
    **dict.fromkeys((200, 201, 202), TaskSerializer),
    **dict.fromkeys((409, 422, 500, 504, 507), ProblemSerializer),
}


class IsStaff(BasePermission):
    """Only staff may import."""

    message = "Only staff may import."

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Say whether the sender is one of the staff."""
        return bool(request.user.is_staff)


class ImportSerializer(SubscriptionRequestSerializer):
    """The multipart form of an import, and who is told when it has ended."""

    file = serializers.FileField(help_text="CSV or XLSX; docs/imports.md describes the columns.")
    what = serializers.ChoiceField(choices=[*RESOURCES])
    dry_run = serializers.BooleanField(default=True, help_text="Check the file and write nothing.")


class ImportsView(APIView):
    """Send a file."""

    permission_classes = (IsAuthenticated, IsStaff)
    parser_classes = (parsers.MultiPartParser,)

    @extend_schema(
        operation_id="imports_create",
        parameters=[prefer_header.PREFER],
        request={"multipart/form-data": ImportSerializer},
        responses=RESPONSES,
    )
    def post(self, request: Request) -> Response:
        """Check a file of projects or documents; with ``dry_run=false`` import it if nothing is wrong with it."""
        sent = dict(cast("QueryDict", request.data).items())  # without a body it is a plain dict
        words = {name: YES_OR_NO.get(str(sent[name]), sent[name]) for name in BOOLEANS if name in sent}
        form = ImportSerializer(data=sent | words, context={"request": request})
        form.is_valid(raise_exception=True)
        options = form.validated_data
        upload = options["file"]
        is_zip = upload.read(len(reader.ZIP)) == reader.ZIP
        upload.seek(0)
        source, digest = storage.store_upload(upload, suffix=".import")
        order = ImportRequest(
            what=options["what"], is_dry_run=options["dry_run"], digest=digest, filename=upload.name[:100]
        )
        seconds = imports.estimate_seconds(upload.size, is_zip=is_zip)
        taken: list[str] = []
        try:
            return _submit(request, order.as_task_request(source, estimate_seconds=seconds), options, taken)
        finally:
            if source not in taken:  # another task has the same file, or there was no room for one
                storage.delete(source)


class ApplyView(APIView):
    """Import what was checked."""

    permission_classes = (IsAuthenticated, IsStaff)

    @extend_schema(
        operation_id="imports_apply",
        parameters=[prefer_header.PREFER],
        request=SubscriptionRequestSerializer,
        responses={**RESPONSES, 404: ProblemSerializer},
    )
    def post(self, request: Request, task_id: uuid.UUID) -> Response:
        """Import the file of a dry run that found no errors; its rows are validated again."""
        form = SubscriptionRequestSerializer(data=request.data, context={"request": request})
        form.is_valid(raise_exception=True)
        checked = get_object_or_404(Task.objects.filter(kind=KIND), pk=task_id)
        order = imports.apply_request(checked)
        seconds = float((checked.result or {})["seconds"])
        task_request = order.as_task_request(checked.source, estimate_seconds=seconds)
        return _submit(request, task_request, form.validated_data, [])


def _submit(
    request: Request, task_request: TaskRequest, options: dict[str, Any], taken: list[str]
) -> Response:
    """Have a file imported; the file that the task has is added to ``taken``."""

    def on_begin(task: Task) -> None:
        taken.append(task.source)
        user = cast("User", request.user)
        notification_task.subscribe(task, user, notify=options["notify"], webhook=options["webhook"])

    return task_responses.respond_with_task(request, replace(task_request, on_begin=on_begin))
