"""The draft of a document's PDF: its HTML, the files of its images, and the fingerprint of what is printed."""

import contextlib
import json
import threading
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.utils import timezone

from documents.content import blocks, editions
from documents.content.editions import Edition
from documents.infrastructure import storage
from documents.models import Document
from documents.queue.registry import ReportProgress
from documents.rendering import html
from documents.task_warnings import TaskWarning
from documents.tasks.pdf import pending_images

# Several at once would take no less time in one interpreter, and leave less of it to those who read.
_writing = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class HtmlDocument:
    """A document's HTML on disk, the images that it may fetch (address → path), and the fingerprint of both.

    ``source`` is the file to attach to an archive edition; ``warnings`` are about images that are not ready;
    ``waited_seconds`` is the time until it was written.
    """

    path: Path
    images: dict[str, str]
    fingerprint: str
    generated_at: datetime
    source: Path | None = None
    warnings: tuple[TaskWarning, ...] = ()
    waited_seconds: float = 0.0


def write_html(
    document: Document,
    path: Path,
    *,
    edition: Edition = editions.DEFAULT,
    report: ReportProgress = lambda *_: None,
    noted: Collection[str] = (),
) -> HtmlDocument:
    """Write a document's HTML to ``path``, and copies of images in a bucket to the same folder.

    Notes stand in place of the blocks whose anchors are ``noted``. A process writes one document after the other.
    Raises StorageFull, StorageUnavailable.
    """
    generated_at = timezone.localtime().replace(microsecond=0)
    source = path.with_name("document.json") if edition.is_archive else None
    recorder, asked_at = recorder_for(document, edition), time.monotonic()
    with _writing, storage.translate_storage_errors(), _copy_content(recorder, source, generated_at):
        waited_seconds = time.monotonic() - asked_at
        _write_blocks(document, edition, path, recorder, generated_at, noted)
    return HtmlDocument(
        path=path,
        images=_image_paths(recorder, path.parent, report),
        fingerprint=recorder.fingerprint(),
        generated_at=generated_at,
        source=source,
        warnings=pending_images.warnings_for(recorder.images),
        waited_seconds=waited_seconds,
    )


def _write_blocks(
    document: Document,
    edition: Edition,
    path: Path,
    recorder: blocks.ContentFingerprint,
    generated_at: datetime,
    noted: Collection[str],
) -> None:
    printed = map(recorder.record, blocks.iter_blocks(document, edition))
    with path.open("w", encoding="utf-8") as stream:
        html.write_document(
            stream,
            cover=recorder.record(blocks.get_cover(document, edition)),
            contents=blocks.table_of_contents(document, edition),
            blocks=blocks.with_notes(printed, noted),
            generated_at=generated_at,
        )


def _image_paths(recorder: blocks.ContentFingerprint, folder: Path, report: ReportProgress) -> dict[str, str]:
    paths: dict[str, str] = {}
    for image in recorder.images.values():
        report("html", 0)  # fetching hundreds of images from a bucket takes a while
        paths |= pending_images.resolve_paths([image], folder)
    return paths


@contextlib.contextmanager
def _copy_content(
    recorder: blocks.ContentFingerprint, path: Path | None, generated_at: datetime
) -> Iterator[None]:
    """Copy all recorded content to ``path``, if given, as a JSON array that ends with the fingerprint and time."""
    if path is None:
        yield
        return
    with path.open("w", encoding="utf-8") as copy:
        copy.write("[\n")
        recorder.copy = copy
        yield
        trailer = {"fingerprint": recorder.fingerprint(), "generated_at": generated_at.isoformat()}
        copy.write(f"{json.dumps(trailer)}\n]\n")


def recorder_for(document: Document, edition: Edition) -> blocks.ContentFingerprint:
    """Return a new recorder of everything that the PDF of a document in an edition depends on."""
    return blocks.ContentFingerprint(f"{document.pk} {html.design_version()}{_edition_key(edition)}")


def _edition_key(edition: Edition) -> str:
    """Return a text that differs between editions; empty for the default one."""
    chosen = {name: value for name, value in edition.as_arguments().items() if name != "variant"}
    if edition.is_archive:
        chosen["variant"] = edition.pdf_variant
    return json.dumps(chosen, sort_keys=True) if chosen else ""
