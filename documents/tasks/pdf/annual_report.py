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
from documents.content.blocks import AreaBlock, Block, ChapterBlock, Cover, Image, Recorder
from documents.content.editions import Edition
from documents.infrastructure import storage
from documents.models import Document, document_types
from documents.queue.registry import Report
from documents.rendering import html, pool
from documents.rendering.parallel import Crew, Piece
from documents.rendering.protocol import Binding, Rendered
from documents.tasks.pdf import part_cache, pending_images

# Below this a single render takes a second or two, and is simpler.
FEWEST_CHAPTERS = 8
LOOKED_UP_AT_ONCE = 10
DRAWN_AT_ONCE = 5
# Raise it when a part of the same design is drawn or bound in another way.
FORMAT = 1

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Part:
    """Blocks that are drawn together: what people call them, whose text they show, their fingerprint and images."""

    name: str
    document_id: int
    blocks: tuple[Block, ...]
    fingerprint: str
    images: tuple[Image, ...]


@dataclass(frozen=True, kw_only=True)
class Made:
    """A report that was made: its PDF, of how many parts it is, and how many of these had to be drawn."""

    rendered: Rendered
    parts: int
    drawn: int


def has_parts(document: Document, edition: Edition) -> bool:
    """Say whether a document is long enough to be made from parts; what goes to the archive is made as a whole."""
    if document.kind != document_types.ANNUAL_REPORT.key or edition.is_archive:
        return False
    return chapters.count(document, edition) >= FEWEST_CHAPTERS


def make(
    document: Document,
    edition: Edition,
    folder: Path,
    *,
    recorder: Recorder,
    deadline: float,
    report: Report,
) -> Made:
    """Make ``document.pdf`` in ``folder``; what it shows is noted by ``recorder``.

    Raises the RenderErrors, which name the part that is the reason, and BindingUnsupported.
    """
    cover = recorder.note(blocks.cover(document, edition))
    assembly = _Assembly(folder=folder, cover=cover, report=report)
    with Crew(deadline=deadline) as crew:
        for some in batched(assembly.missing(_parts(document, edition, recorder)), DRAWN_AT_ONCE):
            crew.draw([assembly.piece(part) for part in some], assembly.images(some))
            report("layout", crew.pages)
        for complete in crew.finished(report):
            assembly.keep(complete)
    binding = Binding(
        html_path=str(_write_front(document, edition, cover, folder)),
        part_paths=tuple(str(path) for path in assembly.paths.values()),
        pdf_path=str(folder / "document.pdf"),
        images=pending_images.local_paths(blocks.images_of(cover), folder),
        cpu_seconds=math.ceil(settings.SPMS_RENDER_TIMEOUT),
    )
    try:
        rendered = pool.get_pool().render(
            binding, deadline=deadline, report=lambda _phase, pages: report("draw", pages)
        )
    except exceptions.BindingUnsupported:
        part_cache.forget(assembly.paths)  # one of them may be the reason
        raise
    logger.info("annual report of %d parts, %d of them drawn anew", len(assembly.paths), len(assembly.drawn))
    return Made(rendered=rendered, parts=len(assembly.paths), drawn=len(assembly.drawn))


class _Assembly:
    """Where the parts of one report come together: their paths in order, whether found or still to be drawn."""

    def __init__(self, *, folder: Path, cover: Cover, report: Report) -> None:
        self.paths: dict[str, Path] = {}
        self.drawn: dict[Path, Part] = {}
        self._folder, self._cover, self._report = folder, cover, report

    def missing(self, parts: Iterable[Part]) -> Iterator[Part]:
        """Yield the parts that must be drawn."""
        for some in batched(parts, LOOKED_UP_AT_ONCE):
            self._report("html", 0)
            found = part_cache.find([part.fingerprint for part in some], self._folder)
            for part in some:
                path = self._folder / f"{part.fingerprint}.pdf"
                self.paths[part.fingerprint] = found.get(part.fingerprint, path)
                if part.fingerprint not in found:
                    yield part

    def piece(self, part: Part) -> Piece:
        """Write the HTML of a part and return what is to be drawn."""
        path = self.paths[part.fingerprint]
        self.drawn[path] = replace(part, blocks=())  # its text need not stay in memory
        html_path = path.with_suffix(".html")
        with storage.plain_errors(), html_path.open("w", encoding="utf-8") as stream:
            html.write_part(stream, title=part.name, cover=self._cover, blocks=part.blocks)
        return Piece(name=part.name, html_path=html_path, part_path=path)

    def images(self, parts: Iterable[Part]) -> dict[str, str]:
        """Return where the images of parts are on this machine, by their addresses."""
        found: dict[str, str] = {}
        for part in parts:
            found |= pending_images.local_paths(part.images, self._folder)
            self._report("html", 0)  # from a bucket they take a while
        return found

    def keep(self, complete: dict[Path, str]) -> None:
        """Keep the parts that lack nothing for the next report; ``complete`` has the SHA-256 of each."""
        new = (
            part_cache.New(
                fingerprint=self.drawn[path].fingerprint,
                document_id=self.drawn[path].document_id,
                path=path,
                digest=digest,
            )
            for path, digest in complete.items()
        )
        self.paths |= part_cache.keep(new)


def _parts(document: Document, edition: Edition, recorder: Recorder) -> Iterator[Part]:
    opening: tuple[Block, ...] = ()
    for block in map(recorder.note, blocks.blocks(document, edition)):
        if isinstance(block, AreaBlock):
            opening = (block,)
        else:
            yield _part(document, (*opening, block))
            opening = ()


def _part(document: Document, printed: tuple[Block, ...]) -> Part:
    recorder = Recorder(f"{FORMAT} {html.design_version()}")
    for block in printed:
        recorder.note(block)
    last = printed[-1]
    return Part(
        name=last.project.tag if isinstance(last, ChapterBlock) else f"“{last.title}”",
        document_id=last.report_id if isinstance(last, ChapterBlock) else document.pk,
        blocks=printed,
        fingerprint=recorder.fingerprint(),
        images=tuple(recorder.images.values()),
    )


def _write_front(document: Document, edition: Edition, cover: Cover, folder: Path) -> Path:
    path = folder / "front.html"
    with storage.plain_errors(), path.open("w", encoding="utf-8") as stream:
        html.write(
            stream,
            cover=cover,
            contents=blocks.contents(document, edition),
            blocks=(),
            generated_at=timezone.localtime().replace(microsecond=0),
        )
    return path
