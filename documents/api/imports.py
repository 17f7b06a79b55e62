"""The endpoints of imports, for staff: validate or import a file, and import the file of a clean dry run."""

import uuid
from dataclasses import replace
from typing import Any, cast

from django.http import QueryDict
from drf_spectacular.utils import extend_schema
from rest_framework import parsers, serializers
from rest_framework.generics import get_object_or_404
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from documents.api import prefer_header, task_responses
from documents.api.serializers_notices import SubscriptionRequestSerializer
from documents.api.serializers_tasks import ProblemSerializer, TaskSerializer
from documents.api.strict import decode_booleans
from documents.infrastructure import storage
from documents.models import Task
from documents.queue.requests import TaskRequest
from documents.tasks.imports import reader, task as imports
from documents.tasks.imports.resources import RESOURCES
from documents.tasks.imports.task import KIND, ImportRequest

BOOLEANS = ("dry_run", "notify")
RESPONSES: dict[int, Any] = {
    **dict.fromkeys((200, 201, 202), TaskSerializer),
    **dict.fromkeys((409, 422, 500, 504, 507), ProblemSerializer),
}


class ImportSerializer(SubscriptionRequestSerializer):
    """The multipart form of an import, and whom to notify when it has ended."""

    file = serializers.FileField(help_text="CSV or XLSX; docs/imports.md describes the columns.")
    what = serializers.ChoiceField(choices=[*RESOURCES])
    dry_run = serializers.BooleanField(default=True, help_text="Validate the file and write nothing.")


class ImportsView(APIView):
    """Imports of uploaded files."""

    permission_classes = (IsAdminUser,)
    parser_classes = (parsers.MultiPartParser,)
    expensive_actions = frozenset({"post"})

    @extend_schema(
        operation_id="imports_create",
        parameters=[prefer_header.PREFER],
        request={"multipart/form-data": ImportSerializer},
        responses=RESPONSES,
    )
    def post(self, request: Request) -> Response:
        """Validate a file of projects or documents; with ``dry_run=false``, import it if it has no errors."""
        values = dict(cast("QueryDict", request.data).items())  # without a body it is a plain dict
        form = ImportSerializer(data=decode_booleans(values, BOOLEANS), context={"request": request})
        form.is_valid(raise_exception=True)
        task_request = _store_upload(form.validated_data)
        return task_responses.respond_with_upload(request, replace(task_request, on_begin=form.subscribe))


class ApplyView(APIView):
    """Imports of files that a dry run has validated."""

    permission_classes = (IsAdminUser,)
    expensive_actions = frozenset({"post"})

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
        dry_run = self.get_object()
        import_request = imports.apply_request(dry_run)
        seconds = float((dry_run.result or {})["seconds"])
        task_request = import_request.as_task_request(dry_run.source, estimate_seconds=seconds)
        # The file belongs to the dry run, too: it is kept whatever becomes of this request.
        return task_responses.respond_with_task(request, replace(task_request, on_begin=form.subscribe))

    def get_object(self) -> Task:
        """Return the dry run. Raises Http404."""
        dry_run: Task = get_object_or_404(Task.objects.filter(kind=KIND), pk=self.kwargs["task_id"])
        return dry_run


def _store_upload(options: dict[str, Any]) -> TaskRequest:
    """Store the uploaded file and return the request to import it. Raises StorageFull and StorageUnavailable."""
    upload = options["file"]
    is_zip = upload.read(len(reader.ZIP)) == reader.ZIP
    source, digest = storage.store_upload(upload, suffix=".import")
    import_request = ImportRequest(
        what=options["what"], is_dry_run=options["dry_run"], digest=digest, filename=upload.name[:100]
    )
    seconds = imports.estimate_seconds(upload.size, is_zip=is_zip)
    return import_request.as_task_request(source, estimate_seconds=seconds)
