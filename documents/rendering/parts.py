"""Draw one part of a report, usually a chapter, so that it can be assembled with others now or next year.

A part is a PDF of its pages without headers, footers, page numbers and fonts. Its catalogue has what the assembly
needs, as JSON: see :class:`PartMetadata`. If those keys change, raise ``annual_report.PART_FORMAT``.
"""

import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pydyf
from weasyprint import HTML

from documents.rendering import layout, weasyprint_internals
from documents.rendering.drafts import Draft
from documents.rendering.layout import LayoutEngine
from documents.rendering.missing_content import MissingContent
from documents.rendering.protocol import BASE_URL, PartsJob, RenderedPart
from documents.rendering.render_log import RenderLog

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
    """What the assembly needs to know of a part: its bookmarks, the glyphs of each font, and what it lacks."""

    bookmarks: tuple[Bookmark, ...]
    fonts: dict[str, dict[str, Any]]
    missing: MissingContent

    @classmethod
    def from_json(cls, text: str) -> "PartMetadata":
        """Return the metadata from the catalogue of a part."""
        stored = json.loads(text)
        bookmarks = tuple(Bookmark(**bookmark) for bookmark in stored["bookmarks"])
        return cls(
            bookmarks=bookmarks,
            fonts=stored["fonts"],
            missing=MissingContent(**stored["missing"]),
        )


def render_parts(engine: LayoutEngine, job: PartsJob, log: RenderLog) -> list[RenderedPart]:
    """Draw parts one after the other; each appears under its name once it is complete.

    Raises WeasyPrintIncompatible, OSError, and what WeasyPrint raises for HTML that it cannot lay out.
    """
    weasyprint_internals.check_compatible()
    css = engine.css(NO_MARGINS)
    rendered: list[RenderedPart] = []
    for html_path, part_path in job.paths:
        log.start(pages_before=sum(part.pages for part in rendered))
        draft = Draft(engine, html_path, log)
        defer_cross_references(draft.html)
        rendered.append(draft.draw(partial(_write, draft, Path(part_path)), css))
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


def _write(draft: Draft, part_path: Path, document: Any) -> RenderedPart:
    def finish(document: Any, pdf: pydyf.PDF) -> None:
        metadata = PartMetadata(
            bookmarks=bookmarks(document),
            fonts=weasyprint_internals.used_fonts(document),
            missing=draft.missing,
        )
        pdf.catalog[METADATA_KEY] = pydyf.String(json.dumps(asdict(metadata)))

    unfinished = part_path.with_suffix(".unfinished")
    with weasyprint_internals.without_embedded_fonts():
        digest, _size_bytes = layout.render_pdf(document, unfinished, is_lasting=False, finisher=finish)
    unfinished.replace(part_path)
    return RenderedPart(pages=len(document.pages), digest=digest, is_whole=not draft.missing.images)
