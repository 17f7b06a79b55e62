"""Draw one part of a report, usually a chapter, so that it can be assembled with others now or next year.

A part is a PDF of its pages without headers, footers, page numbers and fonts. Its catalogue has what the assembly
needs, as JSON: see :class:`PartMetadata`. If those keys change, raise ``annual_report.PART_FORMAT``.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pydyf
from weasyprint import HTML

from documents.rendering import layout, page_losses, weasyprint_internals
from documents.rendering.layout import LayoutEngine
from documents.rendering.protocol import BASE_URL, PartsJob, RenderedPart
from documents.rendering.render_log import MissingContent, RenderLog

METADATA_KEY = "SPMSPart"
# Target of a link to another part until the assembly: WeasyPrint drops internal links that it cannot resolve.
UNRESOLVED_URI = f"{BASE_URL}elsewhere#"
MARGINS = "".join(
    f"@{place} {{ content: none }}" for place in ("top-left", "top-right", "bottom-left", "bottom-right")
)
NO_MARGINS = f"@page {{ {MARGINS} }}"


@dataclass(frozen=True, kw_only=True)
class Bookmark:
    """An entry of the outline and its target: the page, from 0, and points from the page's lower left corner."""

    level: int
    title: str
    page: int
    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class PartMetadata:
    """What the assembly needs to know of a part: its bookmarks, the glyphs of each font, and missing content."""

    bookmarks: tuple[Bookmark, ...]
    fonts: dict[str, dict[str, Any]]
    missing: MissingContent

    @classmethod
    def from_json(cls, text: str) -> "PartMetadata":
        """Return the metadata from the catalogue of a part."""
        stored = json.loads(text)
        bookmarks = tuple(Bookmark(**bookmark) for bookmark in stored["bookmarks"])
        return cls(bookmarks=bookmarks, fonts=stored["fonts"], missing=MissingContent(**stored["missing"]))


def render_parts(engine: LayoutEngine, job: PartsJob, log: RenderLog) -> list[RenderedPart]:
    """Draw parts one after the other; each appears under its name once it is complete.

    Raises WeasyPrintIncompatible, OSError, and what WeasyPrint raises for HTML that it cannot lay out.
    """
    weasyprint_internals.check_compatible()
    css = engine.css(NO_MARGINS)
    rendered: list[RenderedPart] = []
    for html_path, part_path in job.paths:
        log.start(pages_before=sum(part.pages for part in rendered))
        html = engine.read(html_path)
        defer_cross_references(html)
        document = engine.lay_out(html, css)
        digest = _write(document, html.etree_element, Path(html_path), Path(part_path), log)
        is_whole = not log.missing.images
        rendered.append(RenderedPart(pages=len(document.pages), digest=digest, is_whole=is_whole))
        engine.collect()
    return rendered


def defer_cross_references(html: HTML) -> list[tuple[Any, str]]:
    """Redirect the links to anchors of other parts; return each link with its anchor."""
    own_ids = {element.get("id") for element in html.etree_element.iter() if element.get("id")}
    links = [
        (link, target)
        for link in html.etree_element.iter("a")
        if (href := link.get("href", "")).startswith("#") and (target := unquote(href[1:])) not in own_ids
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


def _write(document: Any, root: Any, html_path: Path, part_path: Path, log: RenderLog) -> str:
    prefix = hashlib.sha256(html_path.read_bytes()).hexdigest()[:12]

    def finish(document: Any, pdf: pydyf.PDF) -> None:
        _make_ids_unique(pdf, prefix)
        fonts = weasyprint_internals.used_fonts(document)
        missing = log.missing.located(root) + page_losses.find(document, root)
        metadata = PartMetadata(bookmarks=bookmarks(document), fonts=fonts, missing=missing)
        pdf.catalog[METADATA_KEY] = pydyf.String(json.dumps(asdict(metadata)))

    unfinished = part_path.with_suffix(".unfinished")
    with weasyprint_internals.without_embedded_fonts():
        digest, _size_bytes = layout.render_pdf(document, unfinished, is_lasting=False, finisher=finish)
    unfinished.replace(part_path)
    return digest


def _make_ids_unique(pdf: pydyf.PDF, prefix: str) -> None:
    """Give table headers ids that no other part uses; the cells that refer to them share the same objects."""
    for element in pdf.objects:
        if isinstance(element, pydyf.Dictionary) and isinstance(element.get("ID"), pydyf.String):
            element["ID"].string = f"{prefix}-{element['ID'].string}"
