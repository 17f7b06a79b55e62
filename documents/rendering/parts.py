"""Draw one part of a report (a chapter, as a rule) so that it can be bound with others, today or next year.

A part is a PDF of its pages without headers, footers and fonts. It knows nothing of page numbers. What binding
needs to know besides is in its catalogue as JSON, see :class:`Facts`.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pydyf
from weasyprint import HTML

from documents.rendering import layout, weasyprint_internals
from documents.rendering.layout import LayoutEngine
from documents.rendering.protocol import BASE_URL, PartsJob, RenderedPart
from documents.rendering.render_log import MissingContent, RenderLog

METADATA_KEY = "SPMSPart"
# Where a link to another part leads until it is bound: WeasyPrint drops internal links that it cannot resolve.
UNRESOLVED_URI = f"{BASE_URL}elsewhere#"
MARGINS = "".join(
    f"@{place} {{ content: none }}" for place in ("top-left", "top-right", "bottom-left", "bottom-right")
)
NO_MARGINS = f"@page {{ {MARGINS} }}"


@dataclass(frozen=True, kw_only=True)
class Bookmark:
    """An entry of the outline: its level, and where it leads: page from 0, points from the lower left corner."""

    level: int
    title: str
    page: int
    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class PartMetadata:
    """What binding needs to know of a part: its bookmarks, the glyphs of each font, what got lost."""

    bookmarks: tuple[Bookmark, ...]
    fonts: dict[str, dict[str, Any]]
    losses: MissingContent

    @classmethod
    def from_json(cls, text: str) -> "PartMetadata":
        """Return the facts that a part carries."""
        stored = json.loads(text)
        bookmarks = tuple(Bookmark(**bookmark) for bookmark in stored["bookmarks"])
        return cls(bookmarks=bookmarks, fonts=stored["fonts"], losses=MissingContent(**stored["losses"]))


def render_part(setter: LayoutEngine, drawing: PartsJob, log: RenderLog) -> list[RenderedPart]:
    """Draw the parts one after the other; each appears under its name when it is complete."""
    weasyprint_internals.check_compatible()
    css = setter.css(NO_MARGINS)
    drawn: list[RenderedPart] = []
    for html_path, part_path in drawing.paths:
        log.start(pages_before=sum(part.pages for part in drawn))
        html = setter.read(html_path)
        defer_cross_references(html)
        document = setter.lay_out(html, css)
        digest = _write(document, Path(html_path), Path(part_path), log)
        drawn.append(RenderedPart(pages=len(document.pages), digest=digest, is_whole=not log.losses.images))
        setter.collect()
    return drawn


def defer_cross_references(html: HTML) -> list[tuple[Any, str]]:
    """Point the links to anchors that are not in this document elsewhere; return these and their anchors."""
    own = {element.get("id") for element in html.etree_element.iter() if element.get("id")}
    links = [
        (link, target)
        for link in html.etree_element.iter("a")
        if (href := link.get("href", "")).startswith("#") and (target := unquote(href[1:])) not in own
    ]
    for link, target in links:
        link.set("href", f"{UNRESOLVED_URI}{target}")
    return links


def bookmarks(document: Any) -> tuple[Bookmark, ...]:
    """Return the bookmarks of a laid out document."""
    scale = weasyprint_internals.POINTS_PER_PIXEL
    return tuple(
        Bookmark(level=level, title=title, page=number, x=x * scale, y=(page.height - y) * scale)
        for number, page in enumerate(document.pages)
        for level, title, (x, y), _state in page.bookmarks
    )


def _write(document: Any, html_path: Path, part_path: Path, log: RenderLog) -> str:
    prefix = hashlib.sha256(html_path.read_bytes()).hexdigest()[:12]

    def finish(document: Any, pdf: pydyf.PDF) -> None:
        _make_ids_unique(pdf, prefix)
        facts = PartMetadata(
            bookmarks=bookmarks(document), fonts=weasyprint_internals.used_fonts(document), losses=log.losses
        )
        pdf.catalog[METADATA_KEY] = pydyf.String(json.dumps(asdict(facts)))

    unfinished = part_path.with_suffix(".unfinished")
    with weasyprint_internals.without_embedded_fonts():
        digest, _size_bytes = layout.render_pdf(document, unfinished, is_lasting=False, finisher=finish)
    unfinished.replace(part_path)
    return digest


def _make_ids_unique(pdf: pydyf.PDF, prefix: str) -> None:
    """Give the heads of tables names that no other part uses; their cells refer to the very same objects."""
    for element in pdf.objects:
        if isinstance(element, pydyf.Dictionary) and isinstance(element.get("ID"), pydyf.String):
            element["ID"].string = f"{prefix}-{element['ID'].string}"
