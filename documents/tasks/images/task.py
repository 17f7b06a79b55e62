"""The kind of task that prepares a large image for print, away from the request that brought it."""

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
from documents.tasks.images import attachments, processing
from documents.tasks.images.processing import PreparedImage

KIND = "image"
# What is large goes to the queue whenever somebody is there to take it.
MAX_INLINE_SECONDS = math.inf
# One at a time in a process: while 40 million pixels are unpacked they take up to 0.7 GB.
_turn = threading.Lock()


def fingerprint(document: Document, upload_digest: str) -> str:
    """Return what is equal for the same file sent to the same document: such tasks are joined."""
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
    """Prepare the image that waits for this task; one that another attempt has finished stays as it is."""
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
        "seconds": round(time.monotonic() - started, 3),
    }
    return registry.TaskOutput(
        fingerprint=attempt.task.fingerprint, metadata=metadata, message="The image is ready."
    )


def _image(attempt: registry.TaskContext) -> DocumentImage:
    if (image := DocumentImage.objects.filter(task=attempt.task).first()) is None:
        raise exceptions.InvalidImage("There is nothing to prepare: the image was deleted, or sent again.")
    return image


def _prepared(attempt: registry.TaskContext) -> PreparedImage:
    """Return the image ready for print; raises ImageUnusable in the words that a request would answer."""
    sent = io.BytesIO(_sent(attempt.task.source))
    try:
        with _turn:
            return processing.prepare(sent)
    except ValidationError as error:
        raise exceptions.InvalidImage(" ".join(error.messages)) from error


def _sent(name: str) -> bytes:
    """Read all of it first: a fault of the storage is none of the image."""
    try:
        with storage.open_file(name) as stream:
            return stream.read()
    except FileNotFoundError as error:
        raise exceptions.InvalidImage("What was sent is gone; send the image again.") from error
    except OSError as error:
        raise storage.storage_error(error) from error


def _publish(attempt: registry.TaskContext, image: DocumentImage, prepared: PreparedImage) -> None:
    """Name the files in the row, unless the task was cancelled or taken away meanwhile."""
    values = attachments.store_files(prepared)
    with transaction.atomic():
        if not leases.held_by(attempt.task).select_for_update().first():
            raise registry.LeaseLost
        DocumentImage.objects.filter(pk=image.pk).update(**values)
    attachments.restore_if_pruned(prepared, values)


registry.register(registry.TaskType(name=KIND, title="image", run=run))
