"""A PDF waits for the images that are still being prepared, but not for ever."""

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
from documents.tasks.images import attachments

MAX_WAIT = timedelta(seconds=60)
POLL_INTERVAL_SECONDS = 1.0


def require_ready(attempt: TaskContext, document: Document, edition: Edition) -> None:
    """Raise NotYet while the document prints images that are not ready and there is time to wait for them."""
    if (count := _pending(document, edition)) and _waited(attempt.task) < _max_wait(attempt.task):
        message = f"It waits for {count} image{'s' if count > 1 else ''}."
        leases.held_by(attempt.task).update(phase="images", message=message)
        raise Reschedule(POLL_INTERVAL_SECONDS)


def warnings_for(drawn: dict[str, Image]) -> tuple[str, ...]:
    """Return what the author should know of the images that were drawn as a grey field, as a sentence."""
    count = sum(image.state == DocumentImage.State.WAITING for image in drawn.values())
    verb = "images are" if count > 1 else "image is"
    return (f"{count} {verb} not ready yet; render again later.",) if count else ()


def resolve_paths(images_drawn: Iterable[Image], folder: Path) -> dict[str, str]:
    """Return what is drawn for each image by its address: a grey field until it is ready, nothing if that failed."""
    paths: dict[str, str] = {}
    for image in images_drawn:
        if image.state == DocumentImage.State.WAITING:
            paths[image.url] = str(html.NOT_READY)
        elif image.name:
            paths[image.url] = str(attachments.local_path(image.name, folder))
    return paths


def _pending(document: Document, edition: Edition) -> int:
    if not DocumentImage.objects.waiting().exists():  # nearly always, and then nothing is read
        return 0
    parts = chain((blocks.get_cover(document, edition),), blocks.iter_blocks(document, edition))
    images = chain.from_iterable(map(blocks.images_of, parts))
    return len({image.url for image in images if image.state == DocumentImage.State.WAITING})


def _waited(task: Task) -> timedelta:
    return timezone.now() - (task.started_at or timezone.now())


def _max_wait(task: Task) -> timedelta:
    """Return how long to wait; a request that waits for the PDF itself should still get one."""
    if task.mode == Task.Mode.QUEUE:
        return MAX_WAIT
    return min(MAX_WAIT, timedelta(seconds=settings.SPMS_INLINE_DEADLINE / 2))
