"""Gather what one document prints, in the order of its pages, and its fingerprint.

Blocks are yielded one at a time, so an annual report of 400 pages is never in memory as a whole.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import IO

from documents.content import chapters, editions
from documents.content.alternatives import with_alternatives
from documents.content.editions import Edition
from documents.content.print_form import to_print_form
from documents.models import BusinessArea, Document, DocumentImage, Membership, Project, document_types

IMAGE_IN_HTML = re.compile(r'src="/api/v1/images/([0-9a-f-]{36})/"')


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image that may be drawn: its address in the HTML, its name in storage, the SHA-256 of its file.

    Name and digest are empty until its ``state`` is ready.
    """

    url: str
    name: str
    digest: str
    state: str


@dataclass(frozen=True, kw_only=True)
class Person:
    """A member of the team."""

    name: str
    role: str


@dataclass(frozen=True, kw_only=True)
class Approval:
    """One of the three approvals."""

    title: str
    is_given: bool


@dataclass(frozen=True, kw_only=True)
class ProjectHead:
    """The facts of a project on the cover or in a chapter's head."""

    title: str
    tag: str
    kind: str
    status: str
    business_area: str
    area_leader: str
    team: tuple[Person, ...]


@dataclass(frozen=True, kw_only=True)
class Cover:
    """The cover block; ``project`` is None for an annual report."""

    document_title: str
    kind: str
    kind_title: str
    period: str
    division: str
    status: str
    status_title: str
    version: int
    is_long: bool
    project: ProjectHead | None
    approvals: tuple[Approval, ...]
    image: Image | None


@dataclass(frozen=True, kw_only=True)
class SectionBlock:
    """One of the document's own sections."""

    anchor: str
    title: str
    html: str
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AreaBlock:
    """The opening of a business area (or of the student reports) in an annual report."""

    anchor: str
    title: str
    leader: str
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ChapterBlock:
    """One project's report as a chapter of an annual report; ``sections`` have no anchors of their own."""

    report_id: int
    anchor: str
    project: ProjectHead
    sections: tuple[SectionBlock, ...]
    image: Image | None
    images: tuple[Image, ...]


@dataclass(frozen=True, kw_only=True)
class ProjectListBlock:
    """A table of projects (the external partnerships of an annual report)."""

    anchor: str
    title: str
    projects: tuple[ProjectHead, ...]
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NoteBlock:
    """What is printed in place of a block that cannot be laid out; ``tag`` is that of a chapter's project."""

    anchor: str
    title: str
    tag: str = ""

    @property
    def is_chapter(self) -> bool:
        """Return True if it stands for a chapter of an annual report."""
        return bool(self.tag)


type Block = SectionBlock | AreaBlock | ChapterBlock | ProjectListBlock


@dataclass(frozen=True, kw_only=True)
class ContentsEntry:
    """A line of the table of contents; level 1 or 2."""

    anchor: str
    title: str
    level: int


def get_cover(document: Document, edition: Edition = editions.DEFAULT) -> Cover:
    """Return the cover block of a document."""
    kind = document.kind_info
    return Cover(
        document_title=document.title,
        kind=kind.key,
        kind_title=kind.title,
        period=f"{document.year - 1}-{document.year}" if kind.is_yearly else str(document.year),
        division=edition.division,
        status=document.status,
        status_title=document.get_status_display(),
        version=document.version,
        is_long=kind.is_long,
        project=_project_head(document.project) if document.project else None,
        approvals=_approvals(document),
        image=_image(document.cover_image) if document.cover_image else None,
    )


def iter_blocks(document: Document, edition: Edition = editions.DEFAULT) -> Iterator[Block]:
    """Yield the blocks after the cover, in the order of the pages."""
    if document.kind_info.has_project:
        yield from _sections(document, document.kind_info.section_keys())
    else:
        yield from _annual_blocks(document, edition)


def get_document(document_id: int) -> Document | None:
    """Return a document with everything that its cover prints, or None if it was deleted."""
    return chapters.prefetch_for_print(Document.objects.filter(pk=document_id)).first()


def table_of_contents(document: Document, edition: Edition = editions.DEFAULT) -> Iterator[ContentsEntry]:
    """Yield the table of contents without reading the texts."""
    if document.kind_info.has_project:
        for section in document.kind_info.sections:
            yield ContentsEntry(anchor=section.key, title=section.title, level=1)
    else:
        yield from _annual_contents(document, edition)


class ContentFingerprint:
    """Computes the fingerprint of the parts it records, and collects their images.

    Equal parts in equal order give equal fingerprints; ``salt`` stands for all other input of the result. The
    parts are also written to ``copy``, if it is set, as items of a JSON array.
    """

    def __init__(self, salt: str) -> None:
        self._sha256 = hashlib.sha256(salt.encode())
        self.copy: IO[str] | None = None
        self.images: dict[str, Image] = {}

    def record[Part: Cover | Block](self, part: Part) -> Part:
        """Record a part and return it."""
        values = asdict(part)
        self._sha256.update(json.dumps(values, sort_keys=True).encode() + b"\n")
        if self.copy:
            json.dump(values, self.copy, ensure_ascii=False)
            self.copy.write(",\n")
        self.images.update((image.url, image) for image in images_of(part))
        return part

    def fingerprint(self) -> str:
        """Return the SHA-256 of the parts recorded so far, in hexadecimal."""
        return self._sha256.hexdigest()


def note_for(block: Block) -> NoteBlock:
    """Return the note that is printed in place of a block."""
    if isinstance(block, ChapterBlock):
        return NoteBlock(anchor=block.anchor, title=block.project.title, tag=block.project.tag)
    return NoteBlock(anchor=block.anchor, title=block.title)


def with_notes(printed: Iterable[Block], anchors: Collection[str]) -> Iterator[Block | NoteBlock]:
    """Yield blocks, with a note in place of each one whose anchor is among ``anchors``."""
    return (note_for(block) if block.anchor in anchors else block for block in printed)


def images_of(part: Cover | Block) -> tuple[Image, ...]:
    """Return the images that a cover or block draws."""
    images = () if isinstance(part, Cover) else part.images
    image = part.image if isinstance(part, Cover | ChapterBlock) else None
    return (*images, image) if image else images


def _approvals(document: Document) -> tuple[Approval, ...]:
    return (
        Approval(title="Project lead", is_given=document.lead_approved),
        Approval(title="Business area lead", is_given=document.area_approved),
        Approval(title="Directorate", is_given=document.directorate_approved),
    )


def _project_head(project: Project) -> ProjectHead:
    area = project.business_area
    return ProjectHead(
        title=project.title,
        tag=project.tag,
        kind=project.get_kind_display(),
        status=project.get_status_display(),
        business_area=area.name,
        area_leader=_leader(area),
        team=tuple(_person(membership) for membership in project.memberships.all()),
    )


def _leader(area: BusinessArea) -> str:
    return (area.leader.get_full_name() or area.leader.username) if area.leader else ""


def _person(membership: Membership) -> Person:
    user = membership.user
    return Person(name=user.get_full_name() or user.username, role=membership.get_role_display())


def _image(image: DocumentImage) -> Image:
    return Image(url=image.url, name=str(image.file.name), digest=image.digest, state=image.state)


def _images_in(html: str, document: Document) -> tuple[Image, ...]:
    """Return the images that a text shows: only this document's own, whatever address the text names."""
    if not (ids := set(IMAGE_IN_HTML.findall(html))):
        return ()
    return tuple(_image(image) for image in document.images.all() if str(image.pk) in ids)


def _section(document: Document, section: document_types.Section, anchor: str) -> SectionBlock:
    html = to_print_form(document.sections.get(section.key, ""), f"{section.key}-{document.pk}-")
    html = with_alternatives(html, document)
    return SectionBlock(anchor=anchor, title=section.title, html=html, images=_images_in(html, document))


def _sections(document: Document, keys: Iterable[str]) -> Iterator[SectionBlock]:
    for section in document.kind_info.sections:
        if section.key in keys:
            yield _section(document, section, section.key)


def _annual_blocks(document: Document, edition: Edition) -> Iterator[Block]:
    yield from _sections(document, ("directors_message", "service_delivery", "research_introduction"))
    for area, reports in groupby(
        chapters.iter_reports(document, document_types.PROGRESS_REPORT, edition), key=chapters.area_of
    ):
        yield AreaBlock(anchor=f"area-{area.pk}", title=area.name, leader=_leader(area))
        yield from map(_chapter, reports)
    yield from _sections(document, ("student_introduction",))
    yield from map(_chapter, chapters.iter_reports(document, document_types.STUDENT_REPORT, edition))
    externals = chapters.external_projects(document, edition)
    if heads := tuple(map(_project_head, externals)):
        yield ProjectListBlock(anchor="external", title="External partnerships", projects=heads)
    yield from _sections(document, ("publications",))


def _annual_contents(document: Document, edition: Edition) -> Iterator[ContentsEntry]:
    titles = {section.key: section.title for section in document.kind_info.sections}

    def sections(*keys: str) -> Iterator[ContentsEntry]:
        return (ContentsEntry(anchor=key, title=titles[key], level=1) for key in keys)

    yield from sections("directors_message", "service_delivery", "research_introduction")
    for area, reports in groupby(
        chapters.iter_report_titles(document, document_types.PROGRESS_REPORT, edition), key=chapters.area_of
    ):
        yield ContentsEntry(anchor=f"area-{area.pk}", title=area.name, level=1)
        yield from map(_chapter_entry, reports)
    yield from sections("student_introduction")
    yield from map(
        _chapter_entry, chapters.iter_report_titles(document, document_types.STUDENT_REPORT, edition)
    )
    if chapters.external_projects(document, edition).exists():
        yield ContentsEntry(anchor="external", title="External partnerships", level=1)
    yield from sections("publications")


def _chapter(report: Document) -> ChapterBlock:
    sections = tuple(
        _section(report, section, "")
        for section in report.kind_info.sections
        if report.sections.get(section.key)
    )
    return ChapterBlock(
        report_id=report.pk,
        anchor=f"report-{report.pk}",
        project=_project_head(chapters.project_of(report)),
        sections=sections,
        image=_image(report.cover_image) if report.cover_image else None,
        images=tuple(image for section in sections for image in section.images),
    )


def _chapter_entry(report: Document) -> ContentsEntry:
    return ContentsEntry(anchor=f"report-{report.pk}", title=chapters.project_of(report).title, level=2)
