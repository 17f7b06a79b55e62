"""Assemble a report from its parts: lay out cover and contents, then add page numbers, margins and fonts."""

import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, OutlineItem, Pdf, String

from documents.infrastructure import files
from documents.rendering import conformance, layout, parts, structure_tree, weasyprint_internals
from documents.rendering.drafts import Draft
from documents.rendering.layout import LayoutEngine
from documents.rendering.parts import Bookmark, PartMetadata
from documents.rendering.protocol import AssemblyJob, RenderedPdf
from documents.rendering.render_log import RenderLog

MAX_LAYOUTS = 5
# The first layout guesses how many pages the contents take; a wrong guess costs a second layout.
LINES_PER_CONTENTS_PAGE = 36
CHARACTERS_PER_LINE = 95
CONTENTS_PAGE = 1  # from 0, after the cover; its headers and footers are those of all parts
type Links = list[tuple[Any, str]]  # each with the anchor that it leads to
PAGE_NUMBER = "Page {page} of {pages}"  # as in report.css


@dataclass(frozen=True, kw_only=True)
class Destination:
    """A place on a page: the page, from 0, and points from its lower left corner."""

    page: int
    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class OpenPart:
    """The open PDF of a part, its metadata and anchors, and its first page in the report, from 0."""

    pdf: Pdf
    metadata: PartMetadata
    anchors: dict[str, Destination]
    first_page: int


@dataclass(frozen=True, kw_only=True)
class Front:
    """Cover and contents: laid out and as a PDF, and the operators that draw margins and numbers of all pages.

    ``page_count`` is that of the whole report.
    """

    document: Any
    pdf: Pdf
    margins: bytes
    numbers: list[bytes]
    page_count: int


def assemble(engine: LayoutEngine, job: AssemblyJob, log: RenderLog) -> RenderedPdf:
    """Make one PDF of a report's cover, contents and parts, complete and synced when this returns.

    Raises WeasyPrintIncompatible, OSError, and what WeasyPrint and pikepdf raise for parts that do not fit.
    """
    weasyprint_internals.check_compatible()
    opened = _open(job.part_paths)
    draft = Draft(engine, job.html_path, log)
    links = parts.defer_cross_references(draft.html)
    front = _draw_front(engine, draft, links, opened)
    if draft.replace_unknown():
        front = _draw_front(engine, draft, links, opened)
    pdf, front_pages = front.pdf, len(front.document.pages)
    opened = [replace(part, first_page=part.first_page + front_pages) for part in opened]
    _remove_dead_links(pdf, opened)
    for part in opened:
        pdf.pages.extend(part.pdf.pages)
    _stamp_margins(pdf, opened, front.margins, front.numbers)
    structure_tree.merge_structure_trees(
        pdf, [part.pdf for part in opened], [part.first_page for part in opened]
    )
    _write_named_destinations(pdf, opened)
    _write_outline(pdf, [*parts.bookmarks(front.document), *_bookmarks(opened)])
    digest, size_bytes = _save(pdf, Path(job.pdf_path))
    missing = sum((part.metadata.missing for part in opened), draft.missing)
    return RenderedPdf(
        pages=front.page_count,
        size_bytes=size_bytes,
        digest=digest,
        warnings=missing.warnings(),
    )


def _draw_front(engine: LayoutEngine, draft: Draft, links: Links, opened: list[OpenPart]) -> Front:
    """Draw cover and contents, the margin boxes that all parts share, and the number of each of their pages.

    The PDF embeds the fonts of the parts as well.
    """
    document, page_count = _lay_out_front(engine, draft, links, opened)
    stamper = weasyprint_internals.PageStamper(document, CONTENTS_PAGE)
    for part in opened:
        stamper.add_fonts(part.metadata.fonts)
    numbers = list(stamper.draw_numbers(_numbers(range(len(document.pages), page_count), page_count)))
    margins, stream = stamper.draw_margins(), io.BytesIO()
    document.write_pdf(stream, pdf_variant=layout.VARIANT, finisher=layout.finish)
    return Front(
        document=document, pdf=Pdf.open(stream), margins=margins, numbers=numbers, page_count=page_count
    )


def _open(paths: Iterable[str]) -> list[OpenPart]:
    """Open the parts; their first pages do not count cover and contents."""
    opened: list[OpenPart] = []
    first_page = 0
    for path in paths:
        pdf = pikepdf.open(path)
        metadata = PartMetadata.from_json(str(pdf.Root[f"/{parts.METADATA_KEY}"]))
        opened.append(OpenPart(pdf=pdf, metadata=metadata, anchors=_anchors(pdf), first_page=first_page))
        first_page += len(pdf.pages)
    return opened


def _anchors(pdf: Pdf) -> dict[str, Destination]:
    if Name.Names not in pdf.Root:
        return {}
    numbers = {page.objgen: number for number, page in enumerate(pdf.pages)}
    named: list[Any] = list(pdf.Root.Names.Dests.Names)
    return {
        str(name): Destination(page=numbers[target[0].objgen], x=float(target[2]), y=float(target[3]))
        for name, target in zip(named[::2], named[1::2], strict=True)
    }


def _lay_out_front(
    engine: LayoutEngine, draft: Draft, links: Links, opened: list[OpenPart]
) -> tuple[Any, int]:
    """Return the laid out cover and contents, and how many pages the report has.

    The length of the contents moves the page numbers that they list, so they are laid out until both agree.
    Raises WeasyPrintIncompatible after MAX_LAYOUTS.
    """
    numbers = {
        name: part.first_page + target.page for part in opened for name, target in part.anchors.items()
    }
    body_pages = sum(len(part.pdf.pages) for part in opened)
    lines = sum(1 + len("".join(link.itertext())) // CHARACTERS_PER_LINE for link, _ in links)
    front_pages = CONTENTS_PAGE + max(1, ceil(lines / LINES_PER_CONTENTS_PAGE))
    for _ in range(MAX_LAYOUTS):
        for link, anchor in links:
            number = numbers.get(anchor)
            link.set("data-page", "" if number is None else str(front_pages + number + 1))
        page_count = front_pages + body_pages
        document = draft.lay_out(engine.css(_footer_css(page_count)))
        if len(document.pages) == front_pages:
            return document, page_count
        front_pages = len(document.pages)
    raise weasyprint_internals.WeasyPrintIncompatible("The length of the contents does not settle.")


def _footer_css(page_count: int) -> str:
    """Return the stylesheet for cover and contents: page numbers of the whole report, given and not counted."""
    footer = f'"Page " counter(page) " of {page_count}"'
    return (
        f"@page {{ @bottom-right {{ content: {footer} }} }} .contents a::after {{ content: attr(data-page) }}"
    )


def _numbers(pages: Iterable[int], page_count: int) -> Iterable[str]:
    return (PAGE_NUMBER.format(page=page + 1, pages=page_count) for page in pages)


def _stamp_margins(pdf: Pdf, opened: list[OpenPart], margins: bytes, numbers: Iterable[bytes]) -> None:
    """Give the pages of the parts the report's fonts, and its headers, footers and numbers as artifacts."""
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
    for part in opened:
        pages = pdf.pages[part.first_page : part.first_page + len(part.pdf.pages)]
        for used in _resources(pages):
            used.Font, used.ColorSpace = resources.Font, resources.ColorSpace
            used.XObject.Margins = form
            for name, state in resources.ExtGState.items():
                if name not in used.ExtGState:
                    used.ExtGState[name] = state
        for page in pages:
            artifact = b"/Artifact <</Type /Pagination>> BDC\n/Margins Do\nq\n" + next(number) + b"\nQ\nEMC"
            page.obj.Contents = Array([page.obj.Contents, pdf.make_stream(artifact)])


def _resources(pages: Iterable[pikepdf.Page]) -> Iterable[Any]:
    return {page.obj.Resources.objgen: page.obj.Resources for page in pages}.values()


def _write_named_destinations(pdf: Pdf, opened: list[OpenPart]) -> None:
    """Name the anchors of all parts, and resolve the links between parts."""
    names: dict[str, Any] = {}
    for part in opened:
        for name, target in part.anchors.items():
            page = pdf.pages[part.first_page + target.page].obj
            names.setdefault(name, Array([page, Name.XYZ, target.x, target.y, 0]))
    for linking in pdf.pages:
        for annotation in linking.obj.get(Name.Annots, ()):
            _resolve_cross_reference(annotation)
    ordered = sorted(names.items(), key=lambda pair: pair[0].encode())
    flat = [item for name, target in ordered for item in (String(name), target)]
    pdf.Root.Names = Dictionary(Dests=Dictionary(Names=Array(flat)))


def _remove_dead_links(front: Pdf, opened: list[OpenPart]) -> None:
    """Remove the links to anchors that no part has, as a single render does."""
    anchors = {name for part in opened for name in part.anchors}

    def is_dead(annotation: Any) -> bool:
        target = _unresolved_target(annotation)
        return bool(target) and target.removeprefix(parts.UNRESOLVED_URI) not in anchors

    for pdf in (front, *(part.pdf for part in opened)):
        structure_tree.remove_links(pdf, is_dead)


def _unresolved_target(annotation: Any) -> str:
    target = str(annotation.get(Name.A, {}).get(Name.URI, ""))
    return target if target.startswith(parts.UNRESOLVED_URI) else ""


def _resolve_cross_reference(annotation: Any) -> None:
    if not (target := _unresolved_target(annotation)):
        return
    del annotation.A
    annotation.Dest = String(target.removeprefix(parts.UNRESOLVED_URI))


def _bookmarks(opened: list[OpenPart]) -> Iterable[Bookmark]:
    return (
        replace(bookmark, page=part.first_page + bookmark.page)
        for part in opened
        for bookmark in part.metadata.bookmarks
    )


def _write_outline(pdf: Pdf, bookmarks: Iterable[Bookmark]) -> None:
    """Write the outline; an entry is a child of the nearest entry before it with a higher level."""
    with pdf.open_outline() as outline:
        outline.root.clear()
        above: list[tuple[int, list[OutlineItem]]] = [(0, outline.root)]
        for bookmark in bookmarks:
            page = pdf.pages[bookmark.page].obj
            item = OutlineItem(bookmark.title, Array([page, Name.XYZ, bookmark.x, bookmark.y, 0]))
            while above[-1][0] >= bookmark.level:
                above.pop()
            above[-1][1].append(item)
            above.append((bookmark.level, item.children))


def _save(pdf: Pdf, path: Path) -> tuple[str, int]:
    """Save a PDF, synced to the disk; return its SHA-256 and its size in bytes."""
    conformance.save(pdf, path)
    return files.sync_and_hash(path)
