"""The endpoints: who may, what is asked, which status; the work is done elsewhere."""

import time
import uuid
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import FileResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import exceptions, mixins, parsers, viewsets
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.permissions import SAFE_METHODS, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from documents import content, errors, images, pdf, tasks
from documents.api import downloads
from documents.api.filters import DocumentFilter, ProjectFilter, TaskFilter
from documents.api.serializers import (
    PDF_FILE,
    DocumentSerializer,
    ImageSerializer,
    ImageUploadSerializer,
    ProblemSerializer,
    ProjectSerializer,
    TaskSerializer,
)
from documents.models import Document, DocumentImage, Project, Task
from metrics import flag

JOINED_RETRY_SECONDS = 2
FORCE = OpenApiParameter("force", bool, description="Render again although nothing has changed.")
OF_TASK = OpenApiParameter(
    "task", uuid.UUID, description="The PDF that this task made, instead of the present one."
)


class IsStaffOrReadOnly(BasePermission):
    """Everybody may read what they can see; only staff may change it."""

    message = "Only staff may change this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Say whether the method is allowed."""
        return request.method in SAFE_METHODS or bool(request.user.is_staff)


class ProjectViewSet(viewsets.ModelViewSet[Project]):
    """Projects: members and staff read them, staff change them."""

    serializer_class = ProjectSerializer
    filterset_class = ProjectFilter
    permission_classes = (IsAuthenticated, IsStaffOrReadOnly)
    http_method_names = ("get", "post", "patch", "delete", "head", "options")

    def get_queryset(self) -> QuerySet[Project]:
        """Return the projects that the sender may see."""
        projects = Project.objects.for_user(self.request.user)
        return projects.select_related("business_area").prefetch_related("memberships__user")


class DocumentViewSet(viewsets.ModelViewSet[Document]):
    """Documents, their images and their PDFs: for the project's members and for staff."""

    serializer_class = DocumentSerializer
    filterset_class = DocumentFilter
    http_method_names = ("get", "post", "patch", "delete", "head", "options")

    def get_queryset(self) -> QuerySet[Document]:
        """Return the documents that the sender may read, change and render."""
        return Document.objects.for_user(self.request.user).select_related("project")

    def perform_destroy(self, instance: Document) -> None:
        """Delete a document; only staff may."""
        if not self.request.user.is_staff:
            raise exceptions.PermissionDenied("Only staff may delete a document.")
        instance.delete()

    @extend_schema(
        parameters=[FORCE],
        request=None,
        responses={
            200: TaskSerializer,
            201: TaskSerializer,
            202: TaskSerializer,
            **dict.fromkeys((404, 422, 503, 504, 507), ProblemSerializer),
        },
    )
    @action(detail=True, methods=["post"], url_path="pdf", url_name="pdf", serializer_class=TaskSerializer)
    def pdf(self, request: Request, pk: str) -> Response:
        """Make the PDF of the document as it is now, unless it is there already."""
        _require_no_body(request)
        document = self._printable()
        force = _bool_parameter(request, "force")
        if not force and (done := pdf.stored(document)) is not None:
            return self._task(done, 200)
        deadline = time.monotonic() + settings.SPMS_INLINE_DEADLINE
        task, is_new = tasks.begin(
            kind=pdf.KIND,
            fingerprint=pdf.fingerprint(document),
            document=document,
            user=request.user,
            mode=flag.mode(),
        )
        ended = tasks.run_or_wait(task.pk, deadline=deadline)
        return self._ended(ended, 201 if is_new else 200)

    @extend_schema(
        parameters=[OF_TASK],
        responses={(200, "application/pdf"): PDF_FILE, 304: OpenApiResponse(), 404: ProblemSerializer},
    )
    @pdf.mapping.get
    def get_pdf(self, request: Request, pk: str) -> HttpResponseBase:
        """Send the PDF of the document as it is now, or the one that a task made."""
        document = self._printable()
        task = _task_of(document, request.query_params.get("task")) or pdf.stored(document)
        if task is None:
            raise errors.PdfMissing(f"Make it with POST {request.path} first.")
        facts = task.result or {}
        try:
            return downloads.send(
                request, task.file, size_bytes=facts["bytes"], digest=task.digest, filename=document.filename
            )
        except FileNotFoundError as error:
            raise errors.PdfMissing(f"Its file is gone. Make it with POST {request.path} again.") from error

    @extend_schema(
        request={"multipart/form-data": ImageUploadSerializer},
        responses={201: ImageSerializer, 400: ProblemSerializer},
    )
    @action(
        detail=True,
        methods=["post"],
        url_path="images",
        url_name="images",
        parser_classes=[parsers.MultiPartParser],
        serializer_class=ImageSerializer,
    )
    def images(self, request: Request, pk: str) -> Response:
        """Keep an image for use in this document's sections."""
        document = self.get_object()
        # Whatever a client calls its file, there is one.
        uploads = [upload for _, found in request.FILES.lists() for upload in found]
        if len(uploads) > 1:
            raise exceptions.ValidationError({"file": "Send one image at a time."})
        upload = next(iter(uploads), None)
        form = ImageUploadSerializer(data={"file": upload, "caption": request.POST.get("caption", "")})
        form.is_valid(raise_exception=True)
        image = images.attach(document, form.validated_data["file"], caption=form.validated_data["caption"])
        return Response(ImageSerializer(image).data, status=201, headers={"Location": image.url})

    @extend_schema(responses=ImageSerializer(many=True))
    @images.mapping.get
    def list_images(self, request: Request, pk: str) -> Response:
        """List the document's images."""
        return Response(ImageSerializer(self.get_object().images.all(), many=True).data)

    def _printable(self) -> Document:
        """Return the document with all that is printed, or answer 404."""
        visible = content.with_related(Document.objects.for_user(self.request.user))
        document: Document = get_object_or_404(visible, pk=self.kwargs["pk"])
        return document

    def _ended(self, task: Task, status: int) -> Response:
        if task.status == Task.Status.FAILED:
            raise tasks.error_of(task)
        return self._task(task, status if task.has_ended else 202)

    def _task(self, task: Task, status: int) -> Response:
        headers = {"Location": task.get_absolute_url()}
        if status == 202:
            headers["Retry-After"] = str(JOINED_RETRY_SECONDS)
        return Response(TaskSerializer(task).data, status=status, headers=headers)


class ImageFileView(APIView):
    """The file of an image, for whoever may read its document."""

    @extend_schema(responses={(200, "image/*"): PDF_FILE, 404: ProblemSerializer})
    def get(self, request: Request, pk: uuid.UUID) -> FileResponse:
        """Send the file."""
        visible = DocumentImage.objects.filter(document__in=Document.objects.for_user(request.user))
        image = get_object_or_404(visible, pk=pk)
        try:
            file = image.file.open("rb")
        except FileNotFoundError as error:
            raise exceptions.NotFound("The file of this image is gone; upload it again.") from error
        return FileResponse(file, headers={"Cache-Control": "private, max-age=86400"})


class TaskViewSet(mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet[Task]):
    """Tasks: those that the sender asked for, and those of documents that they may read."""

    serializer_class = TaskSerializer
    filterset_class = TaskFilter
    lookup_value_regex = "[0-9a-f-]{36}"

    def get_queryset(self) -> QuerySet[Task]:
        """Return the tasks that the sender may see."""
        return Task.objects.for_user(self.request.user)


def _require_no_body(request: Request) -> None:
    """Read the body, so that broken JSON is an error, and refuse what we would not use."""
    if request.data not in ({}, None):
        raise exceptions.ValidationError("This call takes no body; use the query parameter force.")


def _bool_parameter(request: Request, name: str) -> bool:
    text = request.query_params.get(name, "false").lower()
    if text not in {"true", "false", "1", "0"}:
        raise exceptions.ValidationError({name: "Send true or false."})
    return text in {"true", "1"}


def _task_of(document: Document, task_id: str | None) -> Task | None:
    """Return the document's task with this id and a PDF; None when no id is given. Raises PdfMissing."""
    if task_id is None:
        return None
    try:
        wanted: dict[str, Any] = {"pk": uuid.UUID(task_id), "status": Task.Status.SUCCEEDED}
    except ValueError as error:
        raise exceptions.ValidationError({"task": "Send the id of a task."}) from error
    if (task := document.tasks.filter(**wanted).first()) is None:
        raise errors.PdfMissing("This document has no PDF from such a task.")
    return task
