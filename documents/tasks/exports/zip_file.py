"""Write the PDFs of documents into one ZIP, with a list of missing ones; render those first on request."""

from collections.abc import Iterable
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

from documents.content import chapters
from documents.infrastructure import files, storage
from documents.models import Document, Task, Viewer
from documents.queue import hints, lifecycle
from documents.queue.registry import Reschedule, TaskContext
from documents.tasks.exports import rows, spec
from documents.tasks.exports.spec import ExportSpec
from documents.tasks.pdf import prerender, task as pdf_task

MISSING_LIST = "MISSING.txt"
BATCH = 20
POLL_INTERVAL_SECONDS = 1.0


def render_missing(export: ExportSpec, user: Viewer, attempt: TaskContext) -> None:
    """Have workers render the missing PDFs in batches; raises Reschedule until they are finished.

    The progress is stored with the task. Failed renders are not repeated, and nothing is rendered without workers.
    """
    last_pk = attempt.task.arguments.get("made_to", 0)
    while hints.has_live_workers() and (batch := _next_batch(last_pk, export, user)):
        attempt.report("pdfs", 0)
        # Not any(): it would submit one and leave the others.
        if sum(_ensure_rendering(document, user, attempt.task) for document in batch):
            _save_progress(attempt.task, last_pk)
            raise Reschedule(POLL_INTERVAL_SECONDS)
        last_pk = batch[-1].pk


def write(path: Path, ids: Iterable[int], attempt: TaskContext) -> tuple[int, int]:
    """Write the ZIP; return how many PDFs are in it and how many are missing."""
    packed = missing = 0
    notes = path.with_name(MISSING_LIST)
    with ZipFile(path, "w", ZIP_STORED) as archive, notes.open("w", encoding="utf-8") as listed:
        for document in rows.with_progress(rows.iter_documents(ids), attempt):
            if reason := _add(archive, document, path.with_name("next.pdf")):
                listed.write(f"{name_of(document)}: {reason}\n")
                missing += 1
            else:
                packed += 1
        if not packed + missing:
            listed.write("No document that you may see matches the filters.\n")
        listed.flush()
        if notes.stat().st_size:
            archive.write(notes, MISSING_LIST)
    return packed, missing


def name_of(document: Document) -> str:
    """Return a document's unique name in the ZIP, where each year has a folder."""
    return f"{document.year}/{document.filename.replace('/', '_').replace('\\', '_')}"


def _add(archive: ZipFile, document: Document, copy: Path) -> str:
    """Add the PDF of a document's current version to the ZIP, or return why there is none."""
    if (task := pdf_task.current_task(document)) is None:
        return "there is no PDF of the current version; generate it."
    prerender.note_use(task)
    try:
        with storage.open_file(task.file) as stream, copy.open("wb") as target:
            digest, _ = files.copy_hashed(stream, target)
    except FileNotFoundError:
        return "the file of its PDF is missing; generate it again."
    if digest != task.digest:
        return "the file of its PDF is damaged; generate it again with force=true."
    archive.write(copy, name_of(document))
    return ""


def _next_batch(last_pk: int, export: ExportSpec, user: Viewer) -> list[Document]:
    following = spec.queryset_for(export, user).filter(pk__gt=last_pk).order_by("pk")
    return list(chapters.prefetch_for_print(following)[:BATCH])


def _ensure_rendering(document: Document, user: Viewer, export: Task) -> bool:
    """Return True if the PDF of a document is being rendered; submits it unless it exists or has failed."""
    request = pdf_task.request_for(document)
    if lifecycle.latest_result(request.kind, request.fingerprint):
        return False
    same_input = Task.objects.filter(kind=request.kind, fingerprint=request.fingerprint)
    newest = same_input.order_by("-created_at").first()
    if newest and newest.has_ended and newest.created_at >= export.created_at:
        return False
    hints.submit_in_background(request, user=user, rule="export")
    return True


def _save_progress(task: Task, last_pk: int) -> None:
    Task.objects.filter(pk=task.pk).update(arguments=task.arguments | {"made_to": last_pk})
