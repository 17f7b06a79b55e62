"""Make an annual report from parts: take cached ones, draw the others in parallel, and assemble them.

A part begins on a new page: a section, or a chapter, with the opening of its area if it is the area's first.
"""

import logging
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import batched, islice
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from documents import exceptions
from documents.content import blocks, chapters, editions
from documents.content.blocks import (
    AreaBlock,
    Block,
    ChapterBlock,
    ContentFingerprint,
    Cover,
    Image,
    NoteBlock,
)
from documents.content.editions import Edition
from documents.infrastructure import storage
from documents.infrastructure.slot_queue import Priority, Turn
from documents.models import Document, document_types
from documents.queue.registry import ReportProgress
from documents.rendering import html, pool
from documents.rendering.parallel import ParallelRenderer, PartJob
from documents.rendering.protocol import AssemblyJob, RenderedPdf
from documents.task_warnings import TaskWarning
from documents.tasks.pdf import part_cache, pending_images
from documents.tasks.pdf.job import PdfJob
from metrics.durations import Monotonic

# A shorter report takes a second or two as a whole, which is simpler.
MIN_CHAPTERS = 8
LOOKUP_BATCH = 10
RENDER_BATCH = 5
# Raise it when parts are drawn, described or assembled in another way although their design is the same.
PART_FORMAT = 4

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PrintedPart:
    """Blocks that are drawn together, with their fingerprint and images.

    ``name`` is for people; ``document_id`` is the document whose text they show; ``note`` replaces the last block
    if it cannot be laid out.
    """

    name: str
    document_id: int
    blocks: tuple[Block, ...]
    note: NoteBlock
    fingerprint: str
    images: tuple[Image, ...]


@dataclass(frozen=True, kw_only=True)
class AssembledReport:
    """A finished report: its PDF, the number of its parts, and how many of them had to be drawn.

    ``unprintable`` has a warning for each part in whose place a note is printed.
    """

    rendered: RenderedPdf
    parts: int
    drawn: int
    unprintable: tuple[TaskWarning, ...]


def has_parts(document: Document, edition: Edition) -> bool:
    """Return True if a document is long enough to be made from parts; with its source, it is rendered as a whole."""
    if document.kind != document_types.ANNUAL_REPORT.key or edition.is_archive:
        return False
    return chapters.count(document, edition) >= MIN_CHAPTERS


def assemble(job: PdfJob, recorder: ContentFingerprint) -> AssembledReport:
    """Make the PDF of a report from its parts, and record its content with ``recorder``.

    Raises the RenderErrors, which name the part at fault; AssemblyUnsupported, StorageFull, StorageUnavailable.
    """
    cover = recorder.record(blocks.get_cover(job.document, job.edition))
    assembly = _Assembly(job, cover)
    with ParallelRenderer(deadline=job.deadline, turn=job.turn) as renderer:
        _draw_missing(assembly, _parts(job.document, job.edition, recorder), renderer)
    rendered = _render(assembly)
    waited_seconds = renderer.waited_seconds + rendered.waited_seconds
    logger.info("annual report of %d parts, %d of them drawn", len(assembly.paths), len(assembly.drawn))
    return AssembledReport(
        rendered=replace(rendered, waited_seconds=waited_seconds),
        parts=len(assembly.paths),
        drawn=len(assembly.drawn),
        unprintable=tuple(assembly.unprintable.values()),
    )


def find_unprintable(job: PdfJob) -> dict[str, TaskWarning]:
    """Return what is wrong with each part of a report that cannot be laid out, by its block's anchor.

    The parts are drawn one by one, and cached for the next report. Raises as ``assemble`` does.
    """
    assembly = _Assembly(job, blocks.get_cover(job.document, job.edition))
    parts = _parts(job.document, job.edition, ContentFingerprint(""))
    with ParallelRenderer(deadline=job.deadline, turn=job.turn) as renderer:
        _draw_missing(assembly, parts, renderer)
    return assembly.unprintable


def draw_ahead(chapter: Document, *, deadline: Monotonic, report: ReportProgress) -> int:
    """Draw some missing parts of the annual report that prints a chapter, for the next report; return how many.

    Does nothing if the usual edition of that report does not print it, or is not made from parts. Raises as
    ``assemble`` does.
    """
    if chapter.kind_info not in chapters.KINDS or chapter.status != Document.Status.APPROVED:
        return 0
    annual = Document.objects.filter(kind=document_types.ANNUAL_REPORT.key, year=chapter.year).first()
    if annual is None or not has_parts(annual, editions.DEFAULT):
        return 0
    turn = Turn(priority=Priority.BACKGROUND)
    with (
        storage.workspace() as folder,
        ParallelRenderer(deadline=deadline, turn=turn) as renderer,
    ):
        job = PdfJob(
            document=annual,
            edition=editions.DEFAULT,
            folder=folder,
            deadline=deadline,
            report=report,
            turn=turn,
        )
        assembly = _Assembly(job, blocks.get_cover(annual))
        parts = _parts(annual, editions.DEFAULT, ContentFingerprint(""))
        _draw_missing(assembly, parts, renderer, max_parts=RENDER_BATCH)
    return len(assembly.drawn)


def _draw_missing(
    assembly: "_Assembly",
    parts: Iterable[PrintedPart],
    renderer: ParallelRenderer,
    *,
    max_parts: int | None = None,
) -> None:
    """Draw the parts that are not cached, ``max_parts`` at most, and cache them."""
    report = assembly.job.report
    for batch in batched(islice(assembly.missing(parts), max_parts), RENDER_BATCH):
        renderer.submit([assembly.write_html(part) for part in batch], assembly.image_paths(batch))
        report("layout", renderer.pages)
    for digests in renderer.finished(report):
        assembly.cache(digests)
    assembly.note(renderer.unprintable)


def _render(assembly: "_Assembly") -> RenderedPdf:
    """Assemble the parts; remove them from the cache if that fails, as one of them may be the reason."""
    job, cover = assembly.job, assembly.cover
    assembly_job = AssemblyJob(
        html_path=str(_write_front(job, cover)),
        part_paths=tuple(str(path) for path in assembly.paths.values()),
        pdf_path=str(job.pdf_path),
        images=pending_images.resolve_paths(blocks.images_of(cover), job.folder),
        cpu_seconds=math.ceil(settings.SPMS_RENDER_TIMEOUT),
    )
    try:
        return pool.get_pool().render(
            assembly_job,
            deadline=job.deadline,
            report=lambda _phase, pages: job.report("draw", pages),
            turn=job.turn,
        )
    except exceptions.AssemblyUnsupported:
        part_cache.delete(assembly.paths)
        raise


class _Assembly:
    """The parts of one report: their paths by fingerprint and in order, both of cached and of drawn parts."""

    def __init__(self, job: PdfJob, cover: Cover) -> None:
        self.paths: dict[str, Path] = {}
        self.drawn: dict[Path, PrintedPart] = {}
        self.unprintable: dict[str, TaskWarning] = {}  # by the anchor of the block that a note replaces
        self.job, self.cover = job, cover

    def missing(self, parts: Iterable[PrintedPart]) -> Iterator[PrintedPart]:
        """Yield the parts that are not cached."""
        for batch in batched(parts, LOOKUP_BATCH):
            self.job.report("html", 0)
            cached = part_cache.get_many([part.fingerprint for part in batch], self.job.folder)
            for part in batch:
                path = self.job.folder / f"{part.fingerprint}.pdf"
                self.paths[part.fingerprint] = cached.get(part.fingerprint, path)
                if part.fingerprint not in cached:
                    yield part

    def write_html(self, part: PrintedPart) -> PartJob:
        """Write the HTML of a part, and return the job that draws it."""
        path = self.paths[part.fingerprint]
        self.drawn[path] = replace(part, blocks=())  # to free the memory of its text
        html_path, note_path = path.with_suffix(".html"), path.with_suffix(".note.html")
        self._write(html_path, part, part.blocks)
        self._write(note_path, part, (*part.blocks[:-1], part.note))
        return PartJob(name=part.name, html_path=html_path, note_path=note_path, part_path=path)

    def _write(self, path: Path, part: PrintedPart, printed: Iterable[Block | NoteBlock]) -> None:
        with storage.translate_storage_errors(), path.open("w", encoding="utf-8") as stream:
            html.write_part(stream, title=part.name, cover=self.cover, blocks=printed)

    def note(self, unprintable: dict[Path, str]) -> None:
        """Remember the parts that could not be laid out; ``unprintable`` has what is wrong with each by its path."""
        for path, problem in unprintable.items():
            part, text = self.drawn[path], f"{problem} A note is printed in its place."
            self.unprintable[part.note.anchor] = TaskWarning(
                rule="part-not-printed", text=text, section=part.name.strip("“”")
            )

    def image_paths(self, parts: Iterable[PrintedPart]) -> dict[str, str]:
        """Return the local paths of the images of parts, by their addresses."""
        paths: dict[str, str] = {}
        for part in parts:
            paths |= pending_images.resolve_paths(part.images, self.job.folder)
            self.job.report("html", 0)  # fetching them from a bucket takes a while
        return paths

    def cache(self, digests: dict[Path, str]) -> None:
        """Cache drawn parts for the next report; ``digests`` has the SHA-256 of each by its path."""
        entries = (
            part_cache.CacheEntry(
                fingerprint=self.drawn[path].fingerprint,
                document_id=self.drawn[path].document_id,
                path=path,
                digest=digest,
            )
            for path, digest in digests.items()
        )
        self.paths |= part_cache.put_many(entries)


def _parts(document: Document, edition: Edition, recorder: ContentFingerprint) -> Iterator[PrintedPart]:
    opening: tuple[Block, ...] = ()
    for block in map(recorder.record, blocks.iter_blocks(document, edition)):
        if isinstance(block, AreaBlock):
            opening = (block,)
        else:
            yield _part(document, (*opening, block))
            opening = ()


def _part(document: Document, printed: tuple[Block, ...]) -> PrintedPart:
    recorder = ContentFingerprint(f"{PART_FORMAT} {html.design_version()}")
    for block in printed:
        recorder.record(block)
    last = printed[-1]
    return PrintedPart(
        name=last.project.tag if isinstance(last, ChapterBlock) else f"“{last.title}”",
        document_id=last.report_id if isinstance(last, ChapterBlock) else document.pk,
        blocks=printed,
        note=blocks.note_for(last),
        fingerprint=recorder.fingerprint(),
        images=tuple(recorder.images.values()),
    )


def _write_front(job: PdfJob, cover: Cover) -> Path:
    path = job.folder / "front.html"
    with storage.translate_storage_errors(), path.open("w", encoding="utf-8") as stream:
        html.write_document(
            stream,
            cover=cover,
            contents=blocks.table_of_contents(job.document, job.edition),
            blocks=(),
            generated_at=timezone.localtime().replace(microsecond=0),
        )
    return path
