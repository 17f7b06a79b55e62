"""The images of documents: a row each, of whoever may read the document, and each file kept once.

A file is named by the digest of what is in it, so the same picture in several documents is one file. The nightly
removal deletes a file when no row names it. Writing a file again makes it young, which keeps that removal from it
for an hour; and who has just stored a row looks whether the file is still there.
"""

import hashlib
from pathlib import Path, PurePosixPath
from typing import Any

from django.core.files.storage import default_storage
from django.db import transaction

from documents import exceptions
from documents.infrastructure import files, storage
from documents.models import Document, DocumentImage, DocumentQuerySet, Task
from documents.tasks.images import processing
from documents.tasks.images.processing import PreparedImage, Upload


def attach(document: Document, upload: Upload, *, caption: str = "") -> DocumentImage:
    """Prepare an upload and keep it with its document, once; raises ValidationError for a bad one."""
    sent = digest_of(upload)
    return add(document, processing.prepare(upload), upload_digest=sent, caption=caption)[0]


def add(
    document: Document, prepared: PreparedImage, *, upload_digest: str, caption: str
) -> tuple[DocumentImage, bool]:
    """Return the document's image with these pixels, and whether it is new. Raises DocumentGone."""
    values = store_files(prepared)
    with transaction.atomic():
        # The lock makes one image of the same picture sent twice at the same moment.
        if not Document.objects.select_for_update().filter(pk=document.pk).first():
            raise exceptions.DocumentDeleted("It was deleted before its image was stored.")
        if (existing := document.images.filter(digest=values["digest"]).first()) is not None:
            return _with_caption(existing, caption), False
        image = DocumentImage.objects.create(
            document=document, caption=caption, upload_digest=upload_digest, **values
        )
    restore_if_pruned(prepared, values)
    return image, True


def find_by_upload(document: Document, upload_digest: str, *, caption: str) -> DocumentImage | None:
    """Return the document's image that was made of the same file; a new caption takes the place of its own."""
    image = document.images.ready().filter(upload_digest=upload_digest).first()
    return _with_caption(image, caption) if image else None


def reuse_prepared(upload_digest: str, readable: DocumentQuerySet) -> PreparedImage | None:
    """Return what was made of the same file for a document that the sender may read, if it is still there."""
    rows = DocumentImage.objects.ready().filter(upload_digest=upload_digest, document__in=readable)
    if not upload_digest or (image := rows.exclude(thumbnail="").first()) is None:
        return None
    name = str(image.file.name)
    try:
        content, thumbnail = (_content(name_of_file) for name_of_file in (name, image.thumbnail))
    except OSError:  # then it is prepared anew
        return None
    size = (image.width, image.height)
    return PreparedImage(content=content, suffix=PurePosixPath(name).suffix, size=size, thumbnail=thumbnail)


def create_pending(document: Document, task: Task, *, upload_digest: str, caption: str) -> None:
    """Keep a row for an image that a task prepares, in the transaction in which the task is begun.

    A second try with the same file takes the row of the first one: its address may be in a text already.
    """
    unfinished = document.images.filter(upload_digest=upload_digest, file="")
    if not unfinished.update(task=task):
        DocumentImage.objects.create(
            document=document, task=task, upload_digest=upload_digest, caption=caption, width=0, height=0
        )


def digest_of(upload: Upload) -> str:
    """Return the SHA-256 of what was sent, and leave it at its beginning."""
    upload.seek(0)
    digest = hashlib.file_digest(upload, "sha256").hexdigest()  # type: ignore[arg-type]
    upload.seek(0)
    return digest


def store_files(prepared: PreparedImage) -> dict[str, Any]:
    """Store the files of an image, whole or not at all, and return the columns that name them."""
    digest = hashlib.sha256(prepared.content).hexdigest()
    file = thumbnail = f"images/{digest[:2]}/{digest}{prepared.suffix}"
    _put_file(file, prepared.content)
    if prepared.thumbnail != prepared.content:
        thumbnail = f"images/{digest[:2]}/{digest}-small{prepared.suffix}"
        _put_file(thumbnail, prepared.thumbnail)
    width, height = prepared.size
    return {"file": file, "thumbnail": thumbnail, "digest": digest, "width": width, "height": height}


def restore_if_pruned(prepared: PreparedImage, values: dict[str, Any]) -> None:
    """Store the files again that the nightly removal took in the moment before a row named them."""
    with storage.translate_storage_errors():
        is_there = all(default_storage.exists(values[name]) for name in ("file", "thumbnail"))
    if not is_there:
        store_files(prepared)


def local_path(name: str, folder: Path) -> Path:
    """Return where this machine can read an image; an image in a bucket is copied to ``folder``.

    If the image was deleted, nothing exists at that path. Raises StorageFull, StorageUnavailable.
    """
    with storage.translate_storage_errors():
        try:
            return storage.local_copy(default_storage, name, folder)
        except FileNotFoundError:
            return folder / PurePosixPath(name).name


def _put_file(name: str, content: bytes) -> None:
    with storage.workspace() as folder, storage.translate_storage_errors():
        finished = folder / "image"
        with files.write_durably(finished) as stream:
            stream.write(content)
        storage.put(default_storage, name, finished)


def _content(name: str) -> bytes:
    with default_storage.open(name) as stream:
        content: bytes = stream.read()
    return content


def _with_caption(image: DocumentImage, caption: str) -> DocumentImage:
    if caption and caption != image.caption:
        DocumentImage.objects.filter(pk=image.pk).update(caption=caption)
        image.caption = caption
    return image
