"""The images of documents: a row for each image of a document, and each file stored once.

A file is named by the digest of its content, so the same picture in several documents is one file. The nightly
clean-up deletes files that no row names. Writing a file again makes it recent, which protects it for an hour; and
after storing a row, this module checks that the file still exists.
"""

import hashlib
from pathlib import Path, PurePosixPath
from typing import Any

from django.core.files.storage import default_storage
from django.db import transaction

from documents import characters, exceptions
from documents.infrastructure import files, storage
from documents.models import Document, DocumentImage, DocumentQuerySet, Task
from documents.tasks.images import guard
from documents.tasks.images.processing import PreparedImage, Upload


def attach(document: Document, upload: Upload, *, caption: str = "", alternative: str = "") -> DocumentImage:
    """Prepare an upload and store it with its document, once.

    Raises ValidationError for an unusable image; DocumentDeleted, StorageFull, StorageUnavailable.
    """
    upload_digest = digest_of(upload)
    image, _ = add(
        document,
        guard.prepare(upload),
        upload_digest=upload_digest,
        caption=caption,
        alternative=alternative,
    )
    return image


def add(
    document: Document,
    prepared: PreparedImage,
    *,
    upload_digest: str,
    caption: str = "",
    alternative: str = "",
) -> tuple[DocumentImage, bool]:
    """Return the document's image with these pixels, and whether it is new; texts replace those of an old one.

    Raises DocumentDeleted, StorageFull, StorageUnavailable.
    """
    values = store_files(prepared)
    with transaction.atomic():
        # The lock makes the same picture, sent twice at the same moment, one image.
        if not Document.objects.select_for_update().filter(pk=document.pk).first():
            raise exceptions.DocumentDeleted("It was deleted before its image was stored.")
        if (existing := document.images.filter(digest=values["digest"]).first()) is not None:
            return _with_texts(existing, caption=caption, alternative=alternative), False
        image = DocumentImage.objects.create(
            document=document,
            caption=caption,
            alternative=alternative,
            upload_digest=upload_digest,
            **values,
        )
    restore_if_pruned(prepared, values)
    return image, True


def find_by_upload(document: Document, upload_digest: str, **texts: str) -> DocumentImage | None:
    """Return the document's image made from the same file, or None; ``texts`` replace its caption and alternative."""
    image = document.images.ready().filter(upload_digest=upload_digest).first()
    return _with_texts(image, **texts) if image else None


def reuse_prepared(upload_digest: str, readable: DocumentQuerySet) -> PreparedImage | None:
    """Return the image made from the same file for a document that the user may read, or None."""
    rows = DocumentImage.objects.ready().filter(upload_digest=upload_digest, document__in=readable)
    if not upload_digest or (image := rows.exclude(thumbnail="").first()) is None:
        return None
    name = str(image.file.name)
    try:
        content, thumbnail = (_content(name_of_file) for name_of_file in (name, image.thumbnail))
    except OSError:  # then it is prepared again
        return None
    size = (image.width, image.height)
    return PreparedImage(
        content=content,
        suffix=PurePosixPath(name).suffix,
        size=size,
        thumbnail=thumbnail,
        note=image.note,
    )


def create_pending(
    document: Document, task: Task, *, upload_digest: str, caption: str = "", alternative: str = ""
) -> None:
    """Create the row of an image that a task will prepare, in the transaction that begins the task.

    A second upload of the same file reuses the row of the first: a text may already contain its address.
    """
    unfinished = document.images.filter(upload_digest=upload_digest, file="")
    if not unfinished.update(task=task):
        DocumentImage.objects.create(
            document=document,
            task=task,
            upload_digest=upload_digest,
            caption=caption,
            alternative=alternative,
            width=0,
            height=0,
        )


def digest_of(upload: Upload) -> str:
    """Return the SHA-256 of an upload, and rewind it."""
    upload.seek(0)
    digest = hashlib.file_digest(upload, "sha256").hexdigest()  # type: ignore[arg-type]
    upload.seek(0)
    return digest


def store_files(prepared: PreparedImage) -> dict[str, Any]:
    """Store the files of an image, each whole or not at all, and return the columns that describe them.

    Raises StorageFull, StorageUnavailable.
    """
    digest = hashlib.sha256(prepared.content).hexdigest()
    file = thumbnail = f"images/{digest[:2]}/{digest}{prepared.suffix}"
    _put_file(file, prepared.content)
    if prepared.thumbnail != prepared.content:
        thumbnail = f"images/{digest[:2]}/{digest}-small{prepared.suffix}"
        _put_file(thumbnail, prepared.thumbnail)
    width, height = prepared.size
    return {
        "file": file,
        "thumbnail": thumbnail,
        "digest": digest,
        "width": width,
        "height": height,
        "note": prepared.note,
    }


def restore_if_pruned(prepared: PreparedImage, values: dict[str, Any]) -> None:
    """Store files again that the nightly clean-up deleted just before a row named them."""
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


def _with_texts(image: DocumentImage, **texts: str) -> DocumentImage:
    """Replace the texts of an image by those that are not empty."""
    lines = {name: characters.one_line(text) for name, text in texts.items()}
    changed = {name: line for name, line in lines.items() if line and line != getattr(image, name)}
    if changed:
        DocumentImage.objects.filter(pk=image.pk).update(**changed)
        for name, line in changed.items():
            setattr(image, name, line)
    return image
