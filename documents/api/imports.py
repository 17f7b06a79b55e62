"""The endpoints of imports, for staff: check a file, or import it; import the file of a check that was clean."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, parsers, serializers
from rest_framework.generics import get_object_or_404
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from documents import store
from documents.api import answers
from documents.api.conventions import StrictSerializer
from documents.api.serializers import ProblemSerializer, TaskSerializer
from documents.imports import reading, tasks as imports
from documents.imports.subjects import SUBJECTS
from documents.imports.tasks import KIND, Order
from documents.models import Task

ANSWERS: dict[int, Any] = {
    **dict.fromkeys((200, 201, 202), TaskSerializer),
    **dict.fromkeys((400, 403, 409, 413, 422, 429, 503, 504, 507), ProblemSerializer),
}


class IsStaff(BasePermission):
    """Only staff may import."""

    message = "Only staff may import."

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Say whether the sender is one of the staff."""
        return bool(request.user.is_staff)


class ImportSerializer(StrictSerializer):
    """The multipart form of an import."""

    file = serializers.FileField(help_text="CSV or XLSX; docs/imports.md describes the columns.")
    what = serializers.ChoiceField(choices=[*SUBJECTS])
    dry_run = serializers.BooleanField(default=True, help_text="Check the file and write nothing.")


class ImportsView(APIView):
    """Send a file."""

    permission_classes = (IsAuthenticated, IsStaff)
    parser_classes = (parsers.MultiPartParser,)

    @extend_schema(
        operation_id="imports_create",
        request={"multipart/form-data": ImportSerializer},
        responses=ANSWERS,
    )
    def post(self, request: Request) -> Response:
        """Check a file of projects or documents; with ``dry_run=false`` import it if nothing is wrong with it."""
        form = ImportSerializer(data=request._request.POST.dict() | request._request.FILES.dict())
        form.is_valid(raise_exception=True)
        upload = form.validated_data["file"]
        is_zip = upload.read(len(reading.ZIP)) == reading.ZIP
        upload.seek(0)
        source, digest = imports.keep(upload)
        order = Order(
            what=form.validated_data["what"],
            is_dry_run=form.validated_data["dry_run"],
            digest=digest,
            filename=(upload.name or "upload")[:100],
        )
        return _make(
            request, order, source, imports.estimate_seconds(upload.size or 0, is_zip=is_zip), is_own=True
        )


class ApplyView(APIView):
    """Import what was checked."""

    permission_classes = (IsAuthenticated, IsStaff)

    @extend_schema(operation_id="imports_apply", request=None, responses={**ANSWERS, 404: ProblemSerializer})
    def post(self, request: Request, task_id: str) -> Response:
        """Import the very file of a dry run that found no errors; what changed meanwhile is judged anew."""
        if request.data not in ({}, None):
            raise exceptions.ValidationError("This call takes no body.")
        checked = get_object_or_404(Task.objects.filter(kind=KIND), pk=task_id)
        order = imports.applied(checked)
        return _make(request, order, checked.source, float((checked.result or {})["seconds"]), is_own=False)


def _make(request: Request, order: Order, source: str, estimate_seconds: float, *, is_own: bool) -> Response:
    """Have a file imported; one of our own that no task took is deleted at once."""
    taken: list[str] = []
    try:
        return answers.make(
            request,
            kind=KIND,
            fingerprint=order.fingerprint(),
            arguments=order.as_arguments(),
            source=source,
            estimate_seconds=estimate_seconds,
            on_begin=lambda task: taken.append(task.source),
        )
    finally:
        if is_own and source not in taken:
            store.delete(source)
