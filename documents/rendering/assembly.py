"""Bind the parts of a report: cover and contents are laid out around them, numbers and fonts are put in."""

import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, OutlineItem, Pdf, String

from documents.infrastructure import files
from documents.rendering import layout, parts, structure_tree, weasyprint_internals
from documents.rendering.layout import LayoutEngine
from documents.rendering.parts import Bookmark, PartMetadata
from documents.rendering.protocol import AssemblyJob, RenderedPdf
from documents.rendering.render_log import RenderLog

MAX_LAYOUTS = 5
# By how many pages of contents the numbers begin is a guess at first; a wrong one costs a second layout.
LINES_PER_CONTENTS_PAGE = 36
CHARACTERS_PER_LINE = 95
CONTENTS_PAGE = 1  # counted from 0: after the cover; the parts take over its headers and footers
PAGE_NUMBER = "Page {page} of {pages}"  # as report.css says it


@dataclass(frozen=True, kw_only=True)
class Destination:
    """A place on a page: the page from 0, and points from the lower left corner."""

    page: int
    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class OpenPart:
    """A part that is open: what is known of it, its anchors and their places, its first page in the report from 0."""

    pdf: Pdf
    facts: PartMetadata
    anchors: dict[str, Destination]
    first_page: int


def assemble(setter: LayoutEngine, binding: AssemblyJob, log: RenderLog) -> RenderedPdf:
    """Make one PDF of a report's cover, contents and parts, complete and synced when this returns."""
    weasyprint_internals.check_compatible()
    bound = _open(binding.part_paths)
    document, page_count = _lay_out_front(setter, binding.html_path, bound)
    front_pages = len(document.pages)
    bound = [replace(part, first_page=part.first_page + front_pages) for part in bound]
    desk = weasyprint_internals.PageStamper(document, CONTENTS_PAGE)
    for part in bound:
        desk.add_fonts(part.facts.fonts)
    margins = desk.draw_margins()
    numbers = list(desk.draw_numbers(_numbers(range(front_pages, page_count), page_count)))
    pdf = _draw_front(document)
    for part in bound:
        pdf.pages.extend(part.pdf.pages)
    _stamp_margins(pdf, bound, margins, numbers)
    structure_tree.merge_structure_trees(
        pdf, [part.pdf for part in bound], [part.first_page for part in bound]
    )
    _write_named_destinations(pdf, bound)
    _write_outline(pdf, [*parts.bookmarks(document), *_bookmarks(bound)])
    digest, size_bytes = _save(pdf, Path(binding.pdf_path))
    lost = sum((part.facts.losses for part in bound), log.losses)
    return RenderedPdf(pages=page_count, size_bytes=size_bytes, digest=digest, warnings=lost.warnings())


def _open(paths: Iterable[str]) -> list[OpenPart]:
    """Open parts; their first pages are counted without cover and contents."""
    opened: list[OpenPart] = []
    first_page = 0
    for path in paths:
        pdf = pikepdf.open(path)
        facts = PartMetadata.from_json(str(pdf.Root[f"/{parts.METADATA_KEY}"]))
        opened.append(OpenPart(pdf=pdf, facts=facts, anchors=_anchors(pdf), first_page=first_page))
        first_page += len(pdf.pages)
    return opened


def _anchors(pdf: Pdf) -> dict[str, Destination]:
    if Name.Names not in pdf.Root:
        return {}
    numbers = {page.objgen: number for number, page in enumerate(pdf.pages)}
    named: list[Any] = list(pdf.Root.Names.Dests.Names)
    return {
        str(name): Destination(page=numbers[place[0].objgen], x=float(place[2]), y=float(place[3]))
        for name, place in zip(named[::2], named[1::2], strict=True)
    }


def _lay_out_front(setter: LayoutEngine, html_path: str, bound: list[OpenPart]) -> tuple[Any, int]:
    """Lay out cover and contents with the numbers that they themselves move; return it and all pages' count."""
    html = setter.read(html_path)
    links = parts.defer_cross_references(html)
    numbers = {name: part.first_page + place.page for part in bound for name, place in part.anchors.items()}
    body_pages = sum(len(part.pdf.pages) for part in bound)
    lines = sum(1 + len("".join(link.itertext())) // CHARACTERS_PER_LINE for link, _ in links)
    front_pages = CONTENTS_PAGE + max(1, ceil(lines / LINES_PER_CONTENTS_PAGE))
    for _ in range(MAX_LAYOUTS):
        for link, anchor in links:
            number = numbers.get(anchor)
            link.set("data-page", "" if number is None else str(front_pages + number + 1))
        page_count = front_pages + body_pages
        document = setter.lay_out(html, setter.css(_numbered(page_count)))
        if len(document.pages) == front_pages:
            return document, page_count
        front_pages = len(document.pages)
    raise weasyprint_internals.WeasyPrintIncompatible("The contents do not come to rest.")


def _numbered(page_count: int) -> str:
    """Return the stylesheet for cover and contents that stand alone: the numbers are given, not counted."""
    footer = f'"Page " counter(page) " of {page_count}"'
    return (
        f"@page {{ @bottom-right {{ content: {footer} }} }} .contents a::after {{ content: attr(data-page) }}"
    )


def _numbers(pages: Iterable[int], page_count: int) -> Iterable[str]:
    return (PAGE_NUMBER.format(page=page + 1, pages=page_count) for page in pages)


def _draw_front(document: Any) -> Pdf:
    stream = io.BytesIO()
    document.write_pdf(stream, pdf_variant=layout.PDF_UA)
    return Pdf.open(stream)


def _stamp_margins(pdf: Pdf, bound: list[OpenPart], margins: bytes, numbers: Iterable[bytes]) -> None:
    """Give the parts' pages the fonts of the whole, and headers, footers and numbers, which are no content."""
    sample: Any = pdf.pages[CONTENTS_PAGE].obj
    resources = sample.Resources
    form = pdf.make_stream(
        margins,
        Type=Name.XObject,
        Subtype=Name.Form,
        BBox=sample.MediaBox,
        Resources=Dictionary(Font=resources.Font, ExtGState=resources.ExtGState),
    )
    number = iter(numbers)
    for part in bound:
        pages = pdf.pages[part.first_page : part.first_page + len(part.pdf.pages)]
        for used in _resources(pages):
            used.Font = resources.Font
            used.XObject.Margins = form
            for name, state in resources.ExtGState.items():
                if name not in used.ExtGState:
                    used.ExtGState[name] = state
        for page in pages:
            dress = b"/Artifact <</Type /Pagination>> BDC\n/Margins Do\nq\n" + next(number) + b"\nQ\nEMC"
            page.obj.Contents = Array([page.obj.Contents, pdf.make_stream(dress)])


def _resources(pages: Iterable[pikepdf.Page]) -> Iterable[Any]:
    return {page.obj.Resources.objgen: page.obj.Resources for page in pages}.values()


def _write_named_destinations(pdf: Pdf, bound: list[OpenPart]) -> None:
    """Name the anchors of all parts, and let the links that led elsewhere lead to them."""
    names: dict[str, Any] = {}
    for part in bound:
        for name, place in part.anchors.items():
            page = pdf.pages[part.first_page + place.page].obj
            names.setdefault(name, Array([page, Name.XYZ, place.x, place.y, 0]))
    for each in pdf.pages:
        for annotation in each.obj.get(Name.Annots, ()):
            _resolve_cross_reference(annotation, names)
    ordered = sorted(names.items(), key=lambda pair: pair[0].encode())
    flat = [item for name, place in ordered for item in (String(name), place)]
    pdf.Root.Names = Dictionary(Dests=Dictionary(Names=Array(flat)))


def _resolve_cross_reference(annotation: Any, names: dict[str, Any]) -> None:
    action = annotation.get(Name.A, {})
    target = str(action.get(Name.URI, ""))
    if not target.startswith(parts.UNRESOLVED_URI):
        return
    del annotation.A
    if (name := target.removeprefix(parts.UNRESOLVED_URI)) in names:
        annotation.Dest = annotation.Contents = String(name)


def _bookmarks(bound: list[OpenPart]) -> Iterable[Bookmark]:
    return (
        replace(bookmark, page=part.first_page + bookmark.page)
        for part in bound
        for bookmark in part.facts.bookmarks
    )


def _write_outline(pdf: Pdf, bookmarks: Iterable[Bookmark]) -> None:
    """Write the outline: an entry stands under the last one before it of a higher level."""
    with pdf.open_outline() as outline:
        outline.root.clear()
        above: list[tuple[int, list[OutlineItem]]] = [(0, outline.root)]
        for mark in bookmarks:
            place = Array([pdf.pages[mark.page].obj, Name.XYZ, mark.x, mark.y, 0])
            item = OutlineItem(mark.title, place)
            while above[-1][0] >= mark.level:
                above.pop()
            above[-1][1].append(item)
            above.append((mark.level, item.children))


def _save(pdf: Pdf, path: Path) -> tuple[str, int]:
    """Save a PDF, synced to the disk; return its SHA-256 and its size in bytes."""
    pdf.save(
        path,
        min_version="1.7",
        object_stream_mode=pikepdf.ObjectStreamMode.generate,
        deterministic_id=True,
    )
    return files.sync_and_hash(path)
