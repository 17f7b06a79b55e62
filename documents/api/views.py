"""The endpoints: who may, what is asked, which status; the work is done elsewhere."""

import threading
import time
import uuid
from functools import partial
from typing import Any, cast

from django.conf import settings
from django.contrib.auth.models import User
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

from documents import content, dispatch, errors, images, notices, pdf, tasks
from documents.api import downloads, preferences
from documents.api.filters import DocumentFilter, ProjectFilter, TaskFilter
from documents.api.serializers import (
    PDF_FILE,
    DocumentSerializer,
    ImageSerializer,
    ImageUploadSerializer,
    NoticeRequestSerializer,
    ProblemSerializer,
    ProjectSerializer,
    TaskSerializer,
)
from documents.models import Document, DocumentImage, Project, Task
from metrics import instruments

JOINED_RETRY_SECONDS = 2
LONGEST_RETRY_SECONDS = 30
LONGEST_WAIT_SECONDS = 60
WAIT = OpenApiParameter("wait", int, description="Answer when the task has ended, or after so many seconds.")
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
        request=NoticeRequestSerializer,
        responses={
            200: TaskSerializer,
            201: TaskSerializer,
            202: TaskSerializer,
            **dict.fromkeys((404, 409, 422, 429, 503, 504, 507), ProblemSerializer),
        },
    )
    @action(detail=True, methods=["post"], url_path="pdf", url_name="pdf", serializer_class=TaskSerializer)
    def pdf(self, request: Request, pk: str) -> Response:
        """Make the PDF of the document as it is now, unless it is there already."""
        form = NoticeRequestSerializer(data=request.data, context={"request": request})
        form.is_valid(raise_exception=True)
        user, wanted = cast("User", request.user), form.validated_data
        subscribe = partial(notices.subscribe, user=user, notify=wanted["notify"], webhook=wanted["webhook"])
        document = self._printable()
        fingerprint, is_forced = pdf.fingerprint(document), _bool_parameter(request, "force")
        if not is_forced and (done := tasks.newest_succeeded(pdf.KIND, fingerprint)) is not None:
            subscribe(done)
            return _task_response(done, 200)
        wish, begun_at = preferences.of(request), time.monotonic()
        task, is_new = dispatch.make(
            kind=pdf.KIND,
            fingerprint=fingerprint,
            document=document,
            user=request.user,
            wish=wish,
            estimate_seconds=pdf.estimate_seconds(document),
            on_begin=subscribe,
        )
        if wish.wait_seconds and task.mode == Task.Mode.QUEUE:
            instruments.asked_to_wait(request._request, time.monotonic() - begun_at)
        if task.status == Task.Status.FAILED:
            raise tasks.error_of(task)
        if task.status == Task.Status.CANCELLED:
            raise errors.TaskCancelled(task.message, task_id=str(task.pk))
        return _task_response(task, 201 if is_new else 200, preferences.applied(wish, task))

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
    # Who waits here holds a thread: the others stay free for everybody else.
    _waiters = threading.BoundedSemaphore(max(1, settings.SPMS_WEB_WORKERS // 2))

    def get_queryset(self) -> QuerySet[Task]:
        """Return the tasks that the sender may see."""
        return Task.objects.for_user(self.request.user)

    @extend_schema(parameters=[WAIT])
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return a task; with ``wait``, as soon as it has ended or the time is over."""
        wait_seconds = _wait_parameter(request)
        task = self.get_object()
        if wait_seconds and not task.has_ended and self._waiters.acquire(blocking=False):
            begun_at = time.monotonic()
            try:
                task = tasks.wait(task.pk, deadline=begun_at + wait_seconds)
            finally:
                self._waiters.release()
            instruments.asked_to_wait(request._request, time.monotonic() - begun_at)
        return Response(TaskSerializer(task).data)

    @extend_schema(request=None, responses={200: TaskSerializer, 409: ProblemSerializer})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """End a task that has not ended yet."""
        _require_no_body(request)
        task = self.get_object()
        tasks.cancel(task.pk, by=request.user.get_username())
        return Response(TaskSerializer(self.get_object()).data)

    @extend_schema(
        request=None,
        responses={
            200: TaskSerializer,
            202: TaskSerializer,
            **dict.fromkeys((409, 429, 503), ProblemSerializer),
        },
    )
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Let a failed or cancelled task run again, with all its attempts."""
        _require_no_body(request)
        wish = preferences.of(request)
        failed = self.get_object()
        task = dispatch.again(failed, wish=wish, user=request.user)
        notices.renew(task)
        return _task_response(task, 200, preferences.applied(wish, task))


def _task_response(task: Task, status: int, headers: dict[str, str] | None = None) -> Response:
    """Return a task, as 202 while it has not ended."""
    data = TaskSerializer(task).data
    headers = {"Location": task.get_absolute_url(), **(headers or {})}
    if task.has_ended:
        return Response(data, status=status, headers=headers)
    seconds = data["queue"]["estimated_seconds"] if data["queue"] else JOINED_RETRY_SECONDS
    headers["Retry-After"] = str(min(max(seconds, 1), LONGEST_RETRY_SECONDS))
    return Response(data, status=202, headers=headers)


def _wait_parameter(request: Request) -> float:
    text = request.query_params.get("wait", "0")
    if not preferences.is_whole_number(text) or int(text) > LONGEST_WAIT_SECONDS:
        raise exceptions.ValidationError(
            {"wait": f"Send a whole number of seconds from 0 to {LONGEST_WAIT_SECONDS}."}
        )
    return float(text)


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
