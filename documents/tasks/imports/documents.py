"""Rows of documents against the documents that there are. Tag, kind and year tell a document from all others."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from django.core.exceptions import ValidationError
from django.db.models import Q

from documents.models import Document, Project, document_types, richtext
from documents.tasks.imports.reader import ParsedRow
from documents.tasks.imports.row_results import Change, RowResult, field_of, start

SECTIONS = tuple(
    dict.fromkeys(key for kind in document_types.DOCUMENT_TYPES.values() for key in kind.section_keys())
)
COLUMNS = ("tag", "kind", "year", "status", *SECTIONS)
REQUIRED = ("tag", "kind", "year")
WRITTEN = ("status", "sections", "version")
# An element's name, or an attribute's.
NAMES = re.compile(r"<([a-zA-Z][a-zA-Z0-9]*)|\s([a-zA-Z-]+)\s*=")

type Key = tuple[object, ...]


def validate(rows: Sequence[ParsedRow]) -> Iterator[RowResult]:
    """Yield what each row changes, or what is wrong with it."""
    verdicts = [start(row) for row in rows]
    projects = _projects({verdict.text("tag") for verdict in verdicts})
    for verdict in verdicts:
        verdict.identity = _identity(verdict, projects)
    stored = _stored([verdict.identity for verdict in verdicts if verdict.identity])
    for verdict in verdicts:
        _validate_row(verdict, stored.get(verdict.identity) if verdict.identity else None)
        yield verdict


def _projects(tags: set[str]) -> dict[str, int]:
    return dict(Project.objects.filter(tag__in=tags).values_list("tag", "pk"))


def _identity(verdict: RowResult, projects: dict[str, int]) -> Key | None:
    """Return the project's id, the kind and the year, or None after noting what is wrong with them."""
    tag, project_id = verdict.text("tag"), projects.get(verdict.text("tag"))
    is_known = project_id is not None or not tag
    if not is_known:
        verdict.add_issue("tag", "There is no project with this tag; import it first.")
    kind, year = verdict.clean(field_of(Document, "kind")), verdict.clean(field_of(Document, "year"))
    if is_known and kind and year:
        try:
            Document(project_id=project_id, kind=kind, year=year).clean()
        except ValidationError as error:
            verdict.add_issue("tag", " ".join(error.messages))
        else:
            return project_id, kind, year
    return None


def _stored(keys: Sequence[Key]) -> dict[Key, Document]:
    projects, found_kinds, years = (set(part) for part in zip(*keys, strict=True)) if keys else ((), (), ())
    of_these = Q(project__in=[one for one in projects if one]) | Q(project=None)
    found = Document.objects.filter(of_these, kind__in=found_kinds, year__in=years)
    return {(one.project_id, one.kind, one.year): one for one in found}


def _validate_row(verdict: RowResult, stored: Document | None) -> None:
    status = verdict.clean(field_of(Document, "status")) if verdict.text("status") else None
    kind = document_types.DOCUMENT_TYPES.get(verdict.text("kind"))
    before = stored.sections if stored else {}
    sections = before | _sections(verdict, kind, before) if kind else {}
    if verdict.has_errors or verdict.identity is None:
        return
    status = status or (stored.status if stored else Document.Status.NEW.value)
    if stored and (stored.status, before) == (status, sections):
        return
    values = dict(zip(("project_id", "kind", "year"), verdict.identity, strict=True))
    values |= {"status": status, "sections": sections, "version": stored.version + 1 if stored else 1}
    verdict.change = Change(
        row=verdict.row.number,
        pk=stored.pk if stored else None,
        seen={"version": stored.version} if stored else {},
        values=values,
    )


def _sections(
    verdict: RowResult, kind: document_types.DocumentType, before: dict[str, str]
) -> dict[str, str]:
    """Return the sections that the row says something new about, sanitised."""
    said = {key: verdict.row.cells[key] for key in SECTIONS if key in verdict.row.cells}
    for key, message in document_types.section_errors(kind, said).items():
        verdict.add_issue(key, message)
    sections = {}
    for key, html in said.items():
        if before.get(key) == html:
            continue
        try:
            sections[key] = richtext.clean_html(html)
        except ValidationError as error:
            verdict.add_issue(key, f"It {error.messages[0]}")
        else:
            _warn_of_loss(verdict, key, html, sections[key])
    return sections


def _warn_of_loss(verdict: RowResult, key: str, html: str, clean: str) -> None:
    if clean == html:
        return
    lost = _names(html) - _names(clean)
    if lost:
        verdict.add_issue(
            key, f"This will be left out of the HTML: {', '.join(sorted(lost))}.", is_error=False
        )


def _names(html: str) -> Counter[str]:
    """Return how often each element and attribute is written."""
    return Counter(
        f"<{match[1].lower()}>" if match[1] else match[2].lower() for match in NAMES.finditer(html)
    )
