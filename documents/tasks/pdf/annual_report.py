"""Make an annual report from parts: those that were drawn before are taken, the others drawn, and all are bound.

A part is what begins on a new page: a section, or a chapter with the opening of its area if it is the first.
"""

import logging
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import batched
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from documents import exceptions
from documents.content import blocks, chapters
from documents.content.blocks import AreaBlock, Block, ChapterBlock, ContentFingerprint, Cover, Image
from documents.content.editions import Edition
from documents.infrastructure import storage
from documents.models import Document, document_types
from documents.queue.registry import ReportProgress
from documents.rendering import html, pool
from documents.rendering.parallel import ParallelRenderer, PartJob
from documents.rendering.protocol import AssemblyJob, RenderedPdf
from documents.tasks.pdf import part_cache, pending_images

# Below this a single render takes a second or two, and is simpler.
MIN_CHAPTERS = 8
LOOKUP_BATCH = 10
RENDER_BATCH = 5
# Raise it when a part of the same design is drawn or bound in another way.
PART_FORMAT = 1

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PrintedPart:
    """Blocks that are drawn together: what people call them, whose text they show, their fingerprint and images."""

    name: str
    document_id: int
    blocks: tuple[Block, ...]
    fingerprint: str
    images: tuple[Image, ...]


@dataclass(frozen=True, kw_only=True)
class AssembledReport:
    """A report that was made: its PDF, of how many parts it is, and how many of these had to be drawn."""

    rendered: RenderedPdf
    parts: int
    drawn: int


def has_parts(document: Document, edition: Edition) -> bool:
    """Say whether a document is long enough to be made from parts; what goes to the archive is made as a whole."""
    if document.kind != document_types.ANNUAL_REPORT.key or edition.is_archive:
        return False
    return chapters.count(document, edition) >= MIN_CHAPTERS


def assemble(
    document: Document,
    edition: Edition,
    folder: Path,
    *,
    recorder: ContentFingerprint,
    deadline: float,
    report: ReportProgress,
) -> AssembledReport:
    """Make ``document.pdf`` in ``folder``; what it shows is noted by ``recorder``.

    Raises the RenderErrors, which name the part that is the reason, and BindingUnsupported.
    """
    cover = recorder.record(blocks.get_cover(document, edition))
    assembly = _Assembly(folder=folder, cover=cover, report=report)
    with ParallelRenderer(deadline=deadline) as crew:
        for some in batched(assembly.missing(_parts(document, edition, recorder)), RENDER_BATCH):
            crew.draw([assembly.piece(part) for part in some], assembly.images(some))
            report("layout", crew.pages)
        for complete in crew.finished(report):
            assembly.keep(complete)
    binding = AssemblyJob(
        html_path=str(_write_front(document, edition, cover, folder)),
        part_paths=tuple(str(path) for path in assembly.paths.values()),
        pdf_path=str(folder / "document.pdf"),
        images=pending_images.resolve_paths(blocks.images_of(cover), folder),
        cpu_seconds=math.ceil(settings.SPMS_RENDER_TIMEOUT),
    )
    try:
        rendered = pool.get_pool().render(
            binding, deadline=deadline, report=lambda _phase, pages: report("draw", pages)
        )
    except exceptions.AssemblyUnsupported:
        part_cache.delete(assembly.paths)  # one of them may be the reason
        raise
    logger.info("annual report of %d parts, %d of them drawn anew", len(assembly.paths), len(assembly.drawn))
    return AssembledReport(rendered=rendered, parts=len(assembly.paths), drawn=len(assembly.drawn))


class _Assembly:
    """Where the parts of one report come together: their paths in order, whether found or still to be drawn."""

    def __init__(self, *, folder: Path, cover: Cover, report: ReportProgress) -> None:
        self.paths: dict[str, Path] = {}
        self.drawn: dict[Path, PrintedPart] = {}
        self._folder, self._cover, self._report = folder, cover, report

    def missing(self, parts: Iterable[PrintedPart]) -> Iterator[PrintedPart]:
        """Yield the parts that must be drawn."""
        for some in batched(parts, LOOKUP_BATCH):
            self._report("html", 0)
            cached = part_cache.get_many([part.fingerprint for part in some], self._folder)
            for part in some:
                path = self._folder / f"{part.fingerprint}.pdf"
                self.paths[part.fingerprint] = cached.get(part.fingerprint, path)
                if part.fingerprint not in cached:
                    yield part

    def piece(self, part: PrintedPart) -> PartJob:
        """Write the HTML of a part and return what is to be drawn."""
        path = self.paths[part.fingerprint]
        self.drawn[path] = replace(part, blocks=())  # its text need not stay in memory
        html_path = path.with_suffix(".html")
        with storage.translate_storage_errors(), html_path.open("w", encoding="utf-8") as stream:
            html.write_part(stream, title=part.name, cover=self._cover, blocks=part.blocks)
        return PartJob(name=part.name, html_path=html_path, part_path=path)

    def images(self, parts: Iterable[PrintedPart]) -> dict[str, str]:
        """Return where the images of parts are on this machine, by their addresses."""
        paths: dict[str, str] = {}
        for part in parts:
            paths |= pending_images.resolve_paths(part.images, self._folder)
            self._report("html", 0)  # from a bucket they take a while
        return paths

    def keep(self, complete: dict[Path, str]) -> None:
        """Keep the parts that lack nothing for the next report; ``complete`` has the SHA-256 of each."""
        new = (
            part_cache.CacheEntry(
                fingerprint=self.drawn[path].fingerprint,
                document_id=self.drawn[path].document_id,
                path=path,
                digest=digest,
            )
            for path, digest in complete.items()
        )
        self.paths |= part_cache.put_many(new)


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
        fingerprint=recorder.fingerprint(),
        images=tuple(recorder.images.values()),
    )


def _write_front(document: Document, edition: Edition, cover: Cover, folder: Path) -> Path:
    path = folder / "front.html"
    with storage.translate_storage_errors(), path.open("w", encoding="utf-8") as stream:
        html.write_document(
            stream,
            cover=cover,
            contents=blocks.table_of_contents(document, edition),
            blocks=(),
            generated_at=timezone.localtime().replace(microsecond=0),
        )
    return path
