"""The kind of task that makes a document's PDF: content → HTML → rendering process → storage."""

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from documents import exceptions, task_warnings
from documents.content import blocks, chapters, editions
from documents.content.editions import Edition
from documents.infrastructure import slot_queue, storage
from documents.infrastructure.slot_queue import Priority, Turn
from documents.models import Document, Task, document_types, layout_bounds
from documents.models.mistakes import shortened
from documents.models.tasks import PRERENDER
from documents.queue import adoption, lifecycle, registry, statistics
from documents.queue.registry import StoredFile, TaskContext, TaskOutput
from documents.queue.requests import TaskRequest
from documents.rendering import parallel, pool
from documents.rendering.protocol import RenderedPdf, RenderJob
from documents.task_warnings import TaskWarning
from documents.tasks.pdf import annual_report, drafts, pending_images, prerender
from documents.tasks.pdf.drafts import HtmlDocument
from documents.tasks.pdf.job import PdfJob
from metrics import instruments
from metrics.decisions.routing import OTHER_HOST

KIND = "pdf"
MAX_MESSAGE_CHARACTERS = 500  # of the task's column
SECONDS_PER_CHAPTER = 0.15  # measured, of two pages

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PdfResult:
    """A rendered PDF, and the fingerprint of its content.

    ``warnings`` are about images that are not ready and chapters in whose place a note is printed; ``metadata`` says
    of how many parts it was made.
    """

    rendered: RenderedPdf
    fingerprint: str
    warnings: tuple[TaskWarning, ...]
    metadata: dict[str, object] = field(default_factory=dict)


def warm_up() -> None:
    """Start a rendering process of this worker, so that its first PDF need not wait for it. Raises RenderBusy."""
    pool.get_pool().warm(1)


def fingerprint(document: Document, edition: Edition = editions.DEFAULT) -> str:
    """Return the SHA-256 of everything that the PDF of a document, as it is now, depends on."""
    recorder = drafts.recorder_for(document, edition)
    recorder.record(blocks.get_cover(document, edition))
    for block in blocks.iter_blocks(document, edition):
        recorder.record(block)
    return recorder.fingerprint()


def request_for(document: Document, edition: Edition = editions.DEFAULT) -> TaskRequest:
    """Return the request for the PDF of a document as it is now, without an estimate, which costs a query."""
    return TaskRequest(
        kind=KIND,
        fingerprint=fingerprint(document, edition),
        document=document,
        arguments=edition.as_arguments(),
    )


def current_task(document: Document, edition: Edition = editions.DEFAULT) -> Task | None:
    """Return the task whose PDF shows the document as it is now, or None."""
    return lifecycle.latest_result(KIND, fingerprint(document, edition))


def estimate_seconds(document: Document, edition: Edition = editions.DEFAULT) -> float:
    """Return the duration of the document's last render; for a first annual report, an estimate by its chapters."""
    done = Task.objects.filter(
        document=document, kind=KIND, status=Task.Status.SUCCEEDED, arguments=edition.as_arguments()
    )
    last = done.order_by("-finished_at").values_list("result", flat=True).first()
    if (took_seconds := statistics.measured_seconds(last)) is not None:
        return took_seconds
    if document.kind != document_types.ANNUAL_REPORT.key:
        return 0.0
    return SECONDS_PER_CHAPTER * chapters.count(document, edition)


def run(attempt: TaskContext) -> TaskOutput:
    """Make the PDF of the task's document as it is now; ahead of a request, give way to people.

    Raises the errors of ``render``.
    """
    return prerender.run(attempt, render) if attempt.task.routed_by == PRERENDER else render(attempt)


def render(attempt: TaskContext) -> TaskOutput:
    """Make the PDF of the task's document as it is now.

    Raises the RenderErrors, DocumentDeleted, StorageFull, StorageUnavailable; Reschedule while images are not
    ready; LeaseLost.
    """
    deadline = min(attempt.deadline, time.monotonic() + settings.SPMS_RENDER_TIMEOUT)
    turn = _turn(attempt.task)
    # In a crowd, text that is read and written earlier takes the cores from others, and then it waits.
    slot_queue.wait_until_near(
        slot_queue.render_slots_folder(),
        settings.SPMS_RENDER_SLOTS,
        turn=turn,
        deadline=deadline,
        tick=lambda: attempt.report("wait", 0),
    )
    document, edition = _document(attempt.task), editions.from_arguments(attempt.task.arguments)
    _require_layout_bounds(document)
    pending_images.require_ready(attempt, document, edition)
    started = time.monotonic()
    with storage.workspace() as folder:
        job = PdfJob(
            document=document,
            edition=edition,
            folder=folder,
            deadline=deadline,
            report=attempt.report,
            turn=turn,
        )
        attempt.report("html", 0)
        pdf = _make(job)
        attempt.report("store", pdf.rendered.pages)
        _require_document(attempt.task)
        name = storage.save(job.pdf_path, suffix=".pdf")
    # What it takes alone: the models of the evaluator add the waits themselves.
    seconds = time.monotonic() - started - pdf.rendered.waited_seconds
    _observe(document, attempt.task, pdf.rendered, seconds)
    return _output(document, edition, pdf, name=name, seconds=seconds)


def _observe(document: Document, task: Task, rendered: RenderedPdf, seconds: float) -> None:
    if adoption.is_ahead(task):
        return
    instruments.observe_render(
        document.kind, task.mode, seconds=seconds, pages=rendered.pages, size_bytes=rendered.size_bytes
    )


def _output(document: Document, edition: Edition, pdf: PdfResult, *, name: str, seconds: float) -> TaskOutput:
    """Return the output of a task whose PDF is stored under ``name``."""
    rendered, warnings = pdf.rendered, (*pdf.warnings, *pdf.rendered.warnings)
    return TaskOutput(
        file=StoredFile(
            name=name,
            digest=rendered.digest,
            size_bytes=rendered.size_bytes,
            filename=document.filename_of(edition.title),
        ),
        fingerprint=pdf.fingerprint,
        metadata={
            "pages": rendered.pages,
            "seconds": round(seconds, 3),
            "version": document.version,
            "warnings": task_warnings.as_json(warnings),
            **pdf.metadata,
        },
        message=shortened(task_warnings.sentences(warnings), MAX_MESSAGE_CHARACTERS),
    )


def _make(job: PdfJob) -> PdfResult:
    """Make a PDF: a long report from parts, if WeasyPrint allows it, or else as a whole."""
    if annual_report.has_parts(job.document, job.edition):
        try:
            return _make_from_parts(job)
        except exceptions.AssemblyUnsupported as error:
            logger.warning("the report is rendered as a whole: %s", error)
    try:
        return _make_whole(job)
    except parallel.UNPRINTABLE:
        if job.document.kind_info.has_project:
            raise
        unprintable = annual_report.find_unprintable(job)
        if not unprintable:
            raise
    return _make_whole(job, unprintable=unprintable)


def _turn(task: Task) -> Turn:
    """Return the turn of a task at a render slot, which counts from when the task was due."""
    waited_seconds = (timezone.now() - task.claimable_at).total_seconds()
    return Turn(
        priority=_priority(task),
        requested_at=time.monotonic() - max(0.0, waited_seconds),
    )


def _priority(task: Task) -> Priority:
    # Also a worker of the machine that gave it away may take it: then it is ready when it would have been inline.
    if task.mode == Task.Mode.INLINE or task.routed_by == OTHER_HOST:
        return Priority.REQUEST
    return Priority.BACKGROUND if task.routed_by == PRERENDER else Priority.QUEUE


def _make_whole(job: PdfJob, *, unprintable: Mapping[str, TaskWarning] = MappingProxyType({})) -> PdfResult:
    """Make a PDF as a whole, with notes in place of ``unprintable`` blocks, by anchor."""
    path = job.folder / "document.html"
    draft = drafts.write_html(
        job.document, path, edition=job.edition, report=job.report, noted=unprintable.keys()
    )
    rendered = _render(draft, job)
    rendered = replace(rendered, waited_seconds=draft.waited_seconds + rendered.waited_seconds)
    warnings = (*unprintable.values(), *draft.warnings)
    return PdfResult(rendered=rendered, fingerprint=draft.fingerprint, warnings=warnings)


def _make_from_parts(job: PdfJob) -> PdfResult:
    recorder = drafts.recorder_for(job.document, job.edition)
    assembled = annual_report.assemble(job, recorder)
    return PdfResult(
        rendered=assembled.rendered,
        fingerprint=recorder.fingerprint(),
        warnings=(*assembled.unprintable, *pending_images.warnings_for(recorder.images)),
        metadata={"parts": assembled.parts, "parts_drawn": assembled.drawn},
    )


def _document(task: Task) -> Document:
    """Return the document as it is now. Raises DocumentDeleted."""
    document = blocks.get_document(task.document_id) if task.document_id else None
    if document is None:
        raise exceptions.DocumentDeleted("It was deleted before its PDF was finished.")
    return document


def _require_layout_bounds(document: Document) -> None:
    """Raise DocumentUnrenderable for a text that takes too long: it may be older than the bounds."""
    for section in document.kind_info.sections:
        html = document.sections.get(section.key, "")
        if problem := layout_bounds.find_problem(layout_bounds.measure(html)):
            raise exceptions.DocumentUnrenderable(f"The section “{section.title}” {problem}.")
    if problem := layout_bounds.total_problem(document.sections.values()):
        raise exceptions.DocumentUnrenderable(f"The document as a whole {problem}.")


def _require_document(task: Task) -> None:
    """Raise DocumentDeleted if the document was deleted during the render: then nothing of it may be stored."""
    if not Document.objects.filter(tasks=task).exists():
        raise exceptions.DocumentDeleted("It was deleted before its PDF was finished.")


def _render(draft: HtmlDocument, job: PdfJob) -> RenderedPdf:
    render_job = RenderJob(
        html_path=str(draft.path),
        pdf_path=str(job.pdf_path),
        images=draft.images,
        source_path=str(draft.source or ""),
        generated_at=draft.generated_at.isoformat(),
        cpu_seconds=math.ceil(settings.SPMS_RENDER_TIMEOUT),
    )
    return pool.get_pool().render(render_job, deadline=job.deadline, report=job.report, turn=job.turn)


def result_url(task: Task) -> str | None:
    """Return the address of a PDF, below that of its document, or None if the document was deleted."""
    if not task.document_id:
        return None
    return f"{reverse('document-pdf', args=[task.document_id])}?task={task.pk}"


registry.register(
    registry.TaskType(name=KIND, title="PDF", run=run, progress_unit="pages", result_url=result_url)
)
