"""Images of documents: small ones are prepared in the request, large ones by a task."""

import uuid
from dataclasses import replace
from typing import cast

from django.core.files.storage import default_storage
from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from documents import exceptions
from documents.api import prefer_header, task_responses
from documents.api.query_parameters import ImageParameters
from documents.api.serializers_images import ImageSerializer, ImageUploadSerializer
from documents.api.serializers_tasks import ProblemSerializer
from documents.api.strict import decode_booleans
from documents.infrastructure import storage
from documents.models import Document, DocumentImage, Task
from documents.tasks.images import attachments, guard, task as image_task
from documents.tasks.images.processing import Upload


class ImageFileView(APIView):
    """The file of an image, for everyone who may read its document."""

    @extend_schema(
        parameters=[ImageParameters],
        responses={
            (200, "image/png"): OpenApiTypes.BINARY,
            (200, "image/jpeg"): OpenApiTypes.BINARY,
            409: ProblemSerializer,
        },
    )
    def get(self, request: Request, pk: uuid.UUID) -> FileResponse:
        """Send the file, or its thumbnail."""
        image = self.get_object()
        is_thumbnail = bool(ImageParameters.parse(request).get("size"))
        _require_ready(image)
        names = (image.thumbnail if is_thumbnail else "", str(image.file.name))
        return _file(*filter(None, names))

    def get_object(self) -> DocumentImage:
        """Return the image. Raises Http404 unless the sender may read its document."""
        visible = DocumentImage.objects.filter(document__in=Document.objects.for_user(self.request.user))
        image: DocumentImage = get_object_or_404(visible.select_related("task"), pk=self.kwargs["pk"])
        return image


def upload(request: Request, document: Document) -> Response:
    """Store an uploaded image with a document: 201, 200 if it is stored already, 202 if a task prepares it."""
    form = _form(request)
    file, texts = cast("Upload", form.validated_data["file"]), _texts(form)
    digest = attachments.digest_of(file)
    if (image := attachments.find_by_upload(document, digest, **texts)) is not None:
        return _ready(image, 200)
    prepared = attachments.reuse_prepared(digest, Document.objects.for_user(request.user))
    if prepared is None and (prefer_header.parse_prefer(request).respond_async or guard.is_large(file)):
        return _as_task(request, document, form, digest)
    prepared = prepared or guard.prepare(file)
    image, is_new = attachments.add(document, prepared, upload_digest=digest, **texts)
    return _ready(image, 201 if is_new else 200)


def _texts(form: ImageUploadSerializer) -> dict[str, str]:
    return {name: form.validated_data[name] for name in ("caption", "alternative")}


def _form(request: Request) -> ImageUploadSerializer:
    """Return the valid form of an upload, whatever the name of its only file. Raises ValidationError."""
    uploads = [upload for _, uploads in request.FILES.lists() for upload in uploads]
    if len(uploads) > 1:
        raise ValidationError({"file": "Send one image at a time."})
    data = decode_booleans(dict(request.POST.items()), ["notify"])
    form = ImageUploadSerializer(
        data=data | {"file": next(iter(uploads), None)}, context={"request": request}
    )
    form.is_valid(raise_exception=True)
    return form


def _as_task(request: Request, document: Document, form: ImageUploadSerializer, digest: str) -> Response:
    """Have a task prepare the image; its row exists at once, and its URL may be used."""

    def on_begin(task: Task) -> None:
        attachments.create_pending(document, task, upload_digest=digest, **_texts(form))
        form.subscribe(task)

    source, _ = storage.store_upload(form.validated_data["file"], suffix=".upload")
    task_request = replace(image_task.request_for(document, digest, source), on_begin=on_begin)
    answer = task_responses.respond_with_upload(request, task_request)
    image = DocumentImage.objects.select_related("task").get(task_id=answer.data["task_id"])
    if image.state == DocumentImage.State.READY:
        return _ready(image, answer.status_code)
    answer.data = {**ImageSerializer(image).data, "task": answer.data}
    return answer


def _ready(image: DocumentImage, status: int) -> Response:
    return Response(ImageSerializer(image).data, status=status, headers={"Location": image.url})


def _require_ready(image: DocumentImage) -> None:
    """Raise ImageNotReady while an image is being prepared, and NotFound if that failed."""
    if image.state == DocumentImage.State.WAITING:
        raise exceptions.ImageNotReady("It is being prepared for print. Ask again in a moment.")
    if image.state == DocumentImage.State.FAILED:
        raise NotFound("This image could not be prepared; its task says why. Send it again.")


def _file(*names: str) -> FileResponse:
    """Send the first of these files that exists: older images have no thumbnail. Raises NotFound."""
    for name in names:
        try:
            file = default_storage.open(name, "rb")
        except FileNotFoundError:
            continue
        return FileResponse(file, headers={"Cache-Control": "private, max-age=86400"})
    raise NotFound("The file of this image is gone; upload it again.")
