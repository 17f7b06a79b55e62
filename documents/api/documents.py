"""The endpoints of documents and their PDFs."""

import uuid
from dataclasses import replace
from typing import Any

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import parsers
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from documents import exceptions
from documents.api import downloads, images as image_uploads, preconditions, prefer_header, task_responses
from documents.api.permissions import DocumentPermission
from documents.api.query_parameters import PdfParameters, RenderParameters
from documents.api.serializers import DocumentChangeSerializer, DocumentItemSerializer, DocumentSerializer
from documents.api.serializers_images import ImageSerializer, ImageUploadSerializer, WaitingImageSerializer
from documents.api.serializers_notices import SubscriptionRequestSerializer
from documents.api.serializers_tasks import ProblemSerializer, TaskSerializer
from documents.content import chapters, editions
from documents.filters import DocumentFilter
from documents.models import Document, Task
from documents.queue import lifecycle
from documents.tasks.pdf import prerender, task as pdf_task


@extend_schema_view(**preconditions.SCHEMAS)
class DocumentViewSet(preconditions.ConditionalViewSet[Document]):
    """Documents, their images and their PDFs, for the project's members and for staff."""

    serializer_class = DocumentSerializer
    filterset_class = DocumentFilter
    permission_classes = (IsAuthenticated, DocumentPermission)
    expensive_actions = frozenset({"pdf", "images"})
    lookup_value_regex = "[0-9]{1,18}"
    http_method_names = ("get", "post", "patch", "delete", "head", "options")

    def get_queryset(self) -> QuerySet[Document]:
        """Return the documents that the sender may read, change and render."""
        documents = Document.objects.for_user(self.request.user).select_related("project")
        return documents.defer("sections") if self.action == "list" else documents

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        """Return the serializer of the action; the items of a list have no sections."""
        return DocumentItemSerializer if self.action == "list" else super().get_serializer_class()

    def etag_of(self, row: Any, serializer: BaseSerializer[Document]) -> str:
        """Return the ETag of a document."""
        return preconditions.document_etag(row)

    @extend_schema(responses=DocumentChangeSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], serializer_class=DocumentChangeSerializer, filter_backends=[])
    def changes(self, request: Request, pk: str) -> Response:
        """List who changed, approved and reset what, newest first."""
        changes: QuerySet[Any] = self.get_object().changes.all()
        page = self.paginate_queryset(changes) or []
        return self.get_paginated_response(DocumentChangeSerializer(page, many=True).data)

    @extend_schema(
        parameters=[RenderParameters, prefer_header.PREFER],
        request=SubscriptionRequestSerializer,
        responses={
            200: TaskSerializer,
            201: TaskSerializer,
            202: TaskSerializer,
            **dict.fromkeys((409, 422, 500, 504, 507), ProblemSerializer),
        },
    )
    @action(detail=True, methods=["post"], url_path="pdf", url_name="pdf", serializer_class=TaskSerializer)
    def pdf(self, request: Request, pk: str) -> Response:
        """Render the PDF of the document's current version, unless it exists already."""
        form = SubscriptionRequestSerializer(data=request.data, context={"request": request})
        form.is_valid(raise_exception=True)
        document = self._printable()
        parameters = RenderParameters.parse(request, is_annual=not document.kind_info.has_project)
        edition = parameters["edition"]
        task_request = pdf_task.request_for(document, edition)
        existing = (
            None if parameters["force"] else lifecycle.latest_result(pdf_task.KIND, task_request.fingerprint)
        )
        if existing is not None:
            form.subscribe(existing)
            prerender.note_use(existing)
            return task_responses.task_response(existing, 200)
        return task_responses.respond_with_task(
            request,
            replace(
                task_request,
                estimate_seconds=pdf_task.estimate_seconds(document, edition),
                on_begin=form.subscribe,
            ),
        )

    @extend_schema(
        parameters=[PdfParameters, *downloads.PARAMETERS],
        responses=downloads.response_schemas(downloads.PDF),
    )
    @pdf.mapping.get
    def get_pdf(self, request: Request, pk: str) -> HttpResponseBase:
        """Send the PDF of the document's current version, or the one that a task rendered."""
        document = self._printable()
        parameters = PdfParameters.parse(request, is_annual=not document.kind_info.has_project)
        task = _task_from(document, parameters.get("task")) or pdf_task.current_task(
            document, parameters["edition"]
        )
        if task is None:
            raise exceptions.PdfMissing(f"Make it with POST {request.path} first.")
        prerender.note_use(task)
        filename = document.filename_of(editions.from_arguments(task.arguments).title)
        try:
            return downloads.send_result(request, task, filename=filename)
        except FileNotFoundError as error:
            raise exceptions.PdfMissing(
                f"Its file is gone. Make it with POST {request.path} again."
            ) from error

    @extend_schema(
        request={"multipart/form-data": ImageUploadSerializer},
        responses={
            200: ImageSerializer,
            201: ImageSerializer,
            202: WaitingImageSerializer,
            **dict.fromkeys((409, 504, 507), ProblemSerializer),
        },
    )
    @action(
        detail=True,
        methods=["post"],
        url_path="images",
        url_name="images",
        parser_classes=[parsers.MultiPartParser],
        serializer_class=ImageSerializer,
        pagination_class=None,
        filter_backends=[],
    )
    def images(self, request: Request, pk: str) -> Response:
        """Add an image for use in this document's sections: at once, or by a task if it is large."""
        return image_uploads.upload(request, self.get_object())

    @extend_schema(responses=ImageSerializer(many=True))
    @images.mapping.get
    def list_images(self, request: Request, pk: str) -> Response:
        """List the document's images."""
        images = self.get_object().images.select_related("task")
        return Response(ImageSerializer(images, many=True).data)

    def _printable(self) -> Document:
        """Return the document with everything that its PDF prints. Raises Http404."""
        visible = chapters.prefetch_for_print(Document.objects.for_user(self.request.user))
        document: Document = get_object_or_404(visible, pk=self.kwargs["pk"])
        return document


def _task_from(document: Document, task_id: uuid.UUID | None) -> Task | None:
    """Return the document's task with this id and a PDF; None if no id is given. Raises PdfMissing."""
    if task_id is None:
        return None
    succeeded = document.tasks.filter(status=Task.Status.SUCCEEDED)
    if (task := succeeded.filter(pk=task_id).first()) is None:
        raise exceptions.PdfMissing("This document has no PDF from such a task.")
    return task
