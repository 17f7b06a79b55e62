"""Images that are still being prepared: a PDF waits for them for a limited time."""

from collections.abc import Iterable
from datetime import timedelta
from itertools import chain
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from documents.content import blocks
from documents.content.blocks import Image
from documents.content.editions import Edition
from documents.models import Document, DocumentImage, Task
from documents.queue import leases
from documents.queue.registry import Reschedule, TaskContext
from documents.rendering import html
from documents.task_warnings import TaskWarning
from documents.tasks.images import attachments

MAX_WAIT = timedelta(seconds=60)
POLL_INTERVAL_SECONDS = 1.0


def require_ready(attempt: TaskContext, document: Document, edition: Edition) -> None:
    """Raise Reschedule while the document prints images that are not ready, until the longest wait is over."""
    if (count := _pending(document, edition)) and _waited(attempt.task) < _max_wait(attempt.task):
        message = f"It waits for {count} image{'s' if count > 1 else ''}."
        leases.held_by(attempt.task).update(phase="images", message=message)
        raise Reschedule(POLL_INTERVAL_SECONDS)


def warnings_for(drawn: dict[str, Image]) -> tuple[TaskWarning, ...]:
    """Return a warning for the author if images, by address, were drawn as grey fields."""
    count = sum(image.state == DocumentImage.State.WAITING for image in drawn.values())
    verb = "images are" if count > 1 else "image is"
    text = f"{count} {verb} not ready yet; render again later."
    return (TaskWarning(rule="image-not-ready", text=text),) if count else ()


def resolve_paths(images_drawn: Iterable[Image], folder: Path) -> dict[str, str]:
    """Return the local file to draw for each image, by address.

    An image that is not ready is a grey field; one that could not be prepared has no file. Raises StorageFull,
    StorageUnavailable.
    """
    paths: dict[str, str] = {}
    for image in images_drawn:
        if image.state == DocumentImage.State.WAITING:
            paths[image.url] = str(html.NOT_READY)
        elif image.name:
            paths[image.url] = str(attachments.local_path(image.name, folder))
    return paths


def _pending(document: Document, edition: Edition) -> int:
    if not DocumentImage.objects.waiting().exists():  # usually, and then the document need not be read
        return 0
    parts = chain((blocks.get_cover(document, edition),), blocks.iter_blocks(document, edition))
    images = chain.from_iterable(map(blocks.images_of, parts))
    return len({image.url for image in images if image.state == DocumentImage.State.WAITING})


def _waited(task: Task) -> timedelta:
    return timezone.now() - (task.started_at or timezone.now())


def _max_wait(task: Task) -> timedelta:
    """Return the longest wait: shorter inline, so that the waiting request still gets a PDF."""
    if task.mode == Task.Mode.QUEUE:
        return MAX_WAIT
    return min(MAX_WAIT, timedelta(seconds=settings.SPMS_INLINE_DEADLINE / 2))
