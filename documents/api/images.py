"""Images as they come and go: prepared in the request when that is quick, as a task when it is not."""

import uuid
from dataclasses import replace
from functools import partial
from typing import Any, cast

from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.http import FileResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from documents import exceptions
from documents.api import prefer_header, task_responses
from documents.api.serializers import (
    BINARY,
    ImageSerializer,
    ImageUploadSerializer,
    ProblemSerializer,
)
from documents.infrastructure import storage
from documents.models import Document, DocumentImage, Task
from documents.tasks.images import attachments, processing, task as image_task
from documents.tasks.images.processing import Upload
from documents.tasks.notifications import task as notification_task

SIZE = OpenApiParameter("size", str, enum=["thumbnail"], description="The small file, of at most 320 pixels.")
# A form has only texts.
YES_OR_NO = {"true": True, "false": False}


class ImageFileView(APIView):
    """The file of an image, for whoever may read its document."""

    @extend_schema(
        parameters=[SIZE],
        responses={(200, "image/png"): BINARY, (200, "image/jpeg"): BINARY, 409: ProblemSerializer},
    )
    def get(self, request: Request, pk: uuid.UUID) -> FileResponse:
        """Send the file, or the small one."""
        visible = DocumentImage.objects.filter(document__in=Document.objects.for_user(request.user))
        image = get_object_or_404(visible.select_related("task"), pk=pk)
        if (size := request.query_params.get("size", "")) not in {"", "thumbnail"}:
            raise ValidationError({"size": "Send thumbnail, or leave it out for the whole image."})
        _require_ready(image)
        names = (image.thumbnail if size else "", str(image.file.name))
        return _file(*filter(None, names))


def upload(request: Request, document: Document) -> Response:
    """Keep what was sent with a document: 201, 200 when it is there already, 202 when a task prepares it."""
    values = _form(request)
    upload, caption = values["file"], values["caption"]
    sent = attachments.digest_of(upload)
    if (image := attachments.find_by_upload(document, sent, caption=caption)) is not None:
        return _ready(image, 200)
    prepared = attachments.reuse_prepared(sent, Document.objects.for_user(request.user))
    if prepared is None and (
        prefer_header.parse_prefer(request).respond_async or processing.is_large(upload)
    ):
        return _as_task(request, document, values, sent)
    prepared = prepared or processing.prepare(upload)
    image, is_new = attachments.add(document, prepared, upload_digest=sent, caption=caption)
    return _ready(image, 201 if is_new else 200)


def _form(request: Request) -> dict[str, Any]:
    # Whatever a client calls its file, there is one.
    sent = [upload for _, uploads in request.FILES.lists() for upload in uploads]
    if len(sent) > 1:
        raise ValidationError({"file": "Send one image at a time."})
    data: dict[str, Any] = dict(request.POST.items())
    if (notify := data.get("notify")) in YES_OR_NO:
        data["notify"] = YES_OR_NO[notify]
    form = ImageUploadSerializer(data=data | {"file": next(iter(sent), None)}, context={"request": request})
    form.is_valid(raise_exception=True)
    return dict(form.validated_data)


def _as_task(request: Request, document: Document, values: dict[str, Any], sent: str) -> Response:
    """Have a task prepare the image; its row is there at once, and its address may be used."""
    source, _ = storage.store_upload(cast("Upload", values["file"]), suffix=".upload")
    try:
        answer = task_responses.respond_with_task(
            request,
            replace(
                image_task.request_for(document, sent, source),
                on_begin=partial(_expect, request, document, values, sent),
            ),
        )
    finally:
        if not Task.objects.filter(source=source).exists():  # refused, or joined to a task that has its own
            storage.delete(source)
    image = DocumentImage.objects.select_related("task").get(task_id=answer.data["task_id"])
    if image.state == DocumentImage.State.READY:
        return _ready(image, answer.status_code)
    answer.data = {**ImageSerializer(image).data, "task": answer.data}
    return answer


def _expect(request: Request, document: Document, values: dict[str, Any], sent: str, task: Task) -> None:
    attachments.create_pending(document, task, upload_digest=sent, caption=values["caption"])
    user = cast("User", request.user)
    notification_task.subscribe(task, user, notify=values["notify"], webhook=values["webhook"])


def _ready(image: DocumentImage, status: int) -> Response:
    return Response(ImageSerializer(image).data, status=status, headers={"Location": image.url})


def _require_ready(image: DocumentImage) -> None:
    if image.state == DocumentImage.State.WAITING:
        raise exceptions.ImageNotReady("It is being prepared for print. Ask again in a moment.")
    if image.state == DocumentImage.State.FAILED:
        raise NotFound("This image could not be prepared; its task says why. Send it again.")


def _file(*names: str) -> FileResponse:
    """Send the first of these files that is there: an older image has no small one."""
    for name in names:
        try:
            file = default_storage.open(name, "rb")
        except FileNotFoundError:
            continue
        return FileResponse(file, headers={"Cache-Control": "private, max-age=86400"})
    raise NotFound("The file of this image is gone; upload it again.")
