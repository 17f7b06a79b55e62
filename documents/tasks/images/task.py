"""The kind of task that prepares a large image for print outside the request that uploaded it."""

import hashlib
import io
import math
import threading
import time

from django.core.exceptions import ValidationError
from django.db import transaction

from documents import exceptions
from documents.infrastructure import storage
from documents.models import Document, DocumentImage
from documents.queue import leases, registry
from documents.queue.requests import TaskRequest
from documents.tasks.images import attachments, guard
from documents.tasks.images.processing import PreparedImage

KIND = "image"
# A large image goes to the queue whenever workers are live.
MAX_INLINE_SECONDS = math.inf
# One image at a time per process: decoding 40 million pixels takes up to 0.7 GB.
_turn = threading.Lock()


def fingerprint(document: Document, upload_digest: str) -> str:
    """Return the SHA-256 of a document and a file: uploads of the same file to a document share a task."""
    return hashlib.sha256(f"{KIND} {document.pk} {upload_digest}".encode()).hexdigest()


def request_for(document: Document, upload_digest: str, source: str) -> TaskRequest:
    """Return the request to prepare an upload that is stored with the results under the name ``source``."""
    return TaskRequest(
        kind=KIND,
        fingerprint=fingerprint(document, upload_digest),
        document=document,
        source=source,
        estimate_seconds=MAX_INLINE_SECONDS,
    )


def run(attempt: registry.TaskContext) -> registry.TaskOutput:
    """Prepare the image of this task, unless an earlier attempt has finished it.

    Raises InvalidImage, StorageFull, StorageUnavailable, LeaseLost.
    """
    started = time.monotonic()
    image = _image(attempt)
    if not image.file:
        attempt.report("preparing", 0)
        prepared = _prepared(attempt)
        attempt.report("storing", 0)
        _publish(attempt, image, prepared)
        image.refresh_from_db()
    storage.delete(attempt.task.source)
    metadata = {
        "url": image.url,
        "image": str(image.pk),
        "width": image.width,
        "height": image.height,
        "note": image.note,
        "seconds": round(time.monotonic() - started, 3),
    }
    message = " ".join(filter(None, ("The image is ready.", image.note)))
    return registry.TaskOutput(fingerprint=attempt.task.fingerprint, metadata=metadata, message=message)


def _image(attempt: registry.TaskContext) -> DocumentImage:
    if (image := DocumentImage.objects.filter(task=attempt.task).first()) is None:
        raise exceptions.InvalidImage("There is nothing to prepare: the image was deleted, or sent again.")
    return image


def _prepared(attempt: registry.TaskContext) -> PreparedImage:
    """Return the image ready for print. Raises InvalidImage with the reason that an inline upload would show."""
    upload = io.BytesIO(_read_upload(attempt.task.source))
    try:
        with _turn:
            return guard.prepare(upload, max_cpu_seconds=_max_cpu_seconds(attempt))
    except ValidationError as error:
        raise exceptions.InvalidImage(" ".join(error.messages)) from error


def _max_cpu_seconds(attempt: registry.TaskContext) -> int:
    """Return the computing time for an image: no more than is left until the deadline, which a request has as well."""
    left_seconds = math.ceil(attempt.deadline - time.monotonic())
    return min(guard.MAX_CPU_SECONDS_IN_TASK, max(1, left_seconds))


def _read_upload(name: str) -> bytes:
    """Read the whole upload first, so that an error of the storage is not taken for a damaged image."""
    try:
        with storage.open_file(name) as stream:
            return stream.read()
    except FileNotFoundError as error:
        raise exceptions.InvalidImage("The uploaded file was removed. Send the image again.") from error
    except OSError as error:
        raise storage.storage_error(error) from error


def _publish(attempt: registry.TaskContext, image: DocumentImage, prepared: PreparedImage) -> None:
    """Name the files in the row. Raises LeaseLost if the task was cancelled or taken away."""
    values = attachments.store_files(prepared)
    with transaction.atomic():
        if not leases.held_by(attempt.task).select_for_update().first():
            raise registry.LeaseLost
        DocumentImage.objects.filter(pk=image.pk).update(**values)
    attachments.restore_if_pruned(prepared, values)


registry.register(registry.TaskType(name=KIND, title="image", run=run))
