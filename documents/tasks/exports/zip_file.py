"""The PDFs of documents in one ZIP, with a list of those that are missing; on wish these are made first."""

import hashlib
from pathlib import Path
from typing import IO
from zipfile import ZIP_STORED, ZipFile

from documents.content import chapters
from documents.infrastructure import storage
from documents.models import Document, Task, Viewer
from documents.queue import hints, lifecycle
from documents.queue.registry import Reschedule, TaskContext
from documents.tasks.exports import rows, spec
from documents.tasks.exports.spec import ExportSpec
from documents.tasks.pdf import task as pdf_task

MAX_MISSING_LISTED = "MISSING.txt"
BATCH = 20
POLL_INTERVAL_SECONDS = 1.0
CHUNK_BYTES = 1_000_000


def render_missing(export: ExportSpec, user: Viewer, attempt: TaskContext) -> None:
    """Have workers make the PDFs that there are not, a few at a time, and come back (NotYet) until they have.

    How far it has come is kept with the task. What failed is not made again, and without workers nothing is.
    """
    last_pk = attempt.task.arguments.get("made_to", 0)
    while hints.has_live_workers() and (some := _after(last_pk, export, user)):
        attempt.report("pdfs", 0)
        # Not any(): it would begin one and leave the others.
        if sum(_is_on_its_way(document, user, attempt.task) for document in some):
            _keep(attempt.task, last_pk)
            raise Reschedule(POLL_INTERVAL_SECONDS)
        last_pk = some[-1].pk


def write(path: Path, export: ExportSpec, user: Viewer, attempt: TaskContext) -> tuple[int, int]:
    """Write the ZIP; return how many PDFs are in it and how many are missing."""
    packed = missing = 0
    notes = path.with_name(MAX_MISSING_LISTED)
    with ZipFile(path, "w", ZIP_STORED) as archive, notes.open("w", encoding="utf-8") as listed:
        for document in rows.with_progress(rows.iter_documents(export, user), attempt):
            if reason := _add(archive, document, path.with_name("next.pdf")):
                listed.write(f"{name_of(document)}: {reason}\n")
                missing += 1
            else:
                packed += 1
        if not packed + missing:
            listed.write("No document that you may see is like that.\n")
        listed.flush()
        if notes.stat().st_size:
            archive.write(notes, MAX_MISSING_LISTED)
    return packed, missing


def name_of(document: Document) -> str:
    """Return a document's name in the ZIP: one a document, as each year has a folder of its own."""
    return f"{document.year}/{document.filename.replace('/', '_').replace('\\', '_')}"


def _add(archive: ZipFile, document: Document, copy: Path) -> str:
    """Put the PDF of a document as it is now into the ZIP, or return why there is none."""
    if (task := pdf_task.current_task(document)) is None:
        return "there is no PDF of this document as it is now; generate it."
    try:
        with storage.open_file(task.file) as stream, copy.open("wb") as target:
            digest = _copied(stream, target)
    except FileNotFoundError:
        return "the file of its PDF is gone; generate it again."
    if digest != task.digest:
        return "the file of its PDF is damaged; generate it again with force=true."
    archive.write(copy, name_of(document))
    return ""


def _copied(source: IO[bytes], target: IO[bytes]) -> str:
    """Copy a file and return the SHA-256 of what was in it."""
    sha256 = hashlib.sha256()
    while chunk := source.read(CHUNK_BYTES):
        sha256.update(chunk)
        target.write(chunk)
    return sha256.hexdigest()


def _after(pk: int, export: ExportSpec, user: Viewer) -> list[Document]:
    following = spec.queryset_for(export, user).filter(pk__gt=pk).order_by("pk")
    return list(chapters.prefetch_for_print(following)[:BATCH])


def _is_on_its_way(document: Document, user: Viewer, export: Task) -> bool:
    """Say whether the PDF of a document is being made, after having begun it where that makes sense."""
    request = pdf_task.request_for(document)
    if lifecycle.latest_result(request.kind, request.fingerprint):
        return False
    same_input = Task.objects.filter(kind=request.kind, fingerprint=request.fingerprint)
    newest = same_input.order_by("-created_at").first()
    if newest and newest.has_ended and newest.created_at >= export.created_at:
        return False
    hints.submit_in_background(request, user=user, rule="export")
    return True


def _keep(task: Task, last_pk: int) -> None:
    Task.objects.filter(pk=task.pk).update(arguments=task.arguments | {"made_to": last_pk})
