"""The picture of a PDF's first page: drawn when somebody looks at it first, and kept with the PDF.

No render waits for it, and most PDFs, which nobody looks at on a page, never need it.
"""

import contextlib
from pathlib import Path

from django.core.exceptions import ValidationError

from documents.infrastructure import storage
from documents.models import Task
from documents.tasks.images import guard

MEDIA_TYPE = "image/webp"
SUFFIX = ".webp"
# A larger PDF would have to be copied from a bucket as a whole.
MAX_COPIED_BYTES = 32 * 1024**2


def read(task: Task) -> bytes | None:
    """Return the picture of a PDF that a task made, as WebP; None if its file is missing or cannot be drawn.

    Raises ImagesBusy, StorageFull, StorageUnavailable.
    """
    with storage.translate_storage_errors(), contextlib.suppress(FileNotFoundError):
        if task.picture:
            with storage.open_file(task.picture) as stream:
                return stream.read()
    return _draw(task)


def _draw(task: Task) -> bytes | None:
    try:
        with storage.workspace() as folder, storage.translate_storage_errors():
            if (pdf := _local_pdf(task, folder)) is None:
                return None
            picture = guard.draw_first_page(pdf)
            _keep(task, picture, folder)
            return picture
    except ValidationError:
        return None


def _local_pdf(task: Task, folder: Path) -> Path | None:
    """Return where this machine can read the PDF, or None if it cannot be had."""
    path = storage.local_path(storage.results(), task.file)
    if path is not None:
        return path if path.exists() else None
    if (task.result or {}).get("bytes", 0) > MAX_COPIED_BYTES:
        return None
    try:
        return storage.local_copy(storage.results(), task.file, folder)
    except FileNotFoundError:
        return None


def _keep(task: Task, picture: bytes, folder: Path) -> None:
    """Store a picture with the task, unless another request has stored one meanwhile."""
    path = folder / f"page{SUFFIX}"
    path.write_bytes(picture)
    name = storage.save(path, suffix=SUFFIX, is_lasting=False)
    if not Task.objects.filter(pk=task.pk, picture=task.picture).update(picture=name):
        storage.delete(name)
