"""Validate rows of documents against the stored ones; tag, kind and year identify a document."""

from collections.abc import Iterator, Sequence

from django.core.exceptions import ValidationError
from django.db.models import Q

from documents.content.normalising import normalise_html
from documents.models import Document, Project, document_types, richtext
from documents.tasks.imports import histories
from documents.tasks.imports.reader import ParsedRow
from documents.tasks.imports.row_results import Change, RowResult, field_of, start

SECTIONS = tuple(
    dict.fromkeys(key for kind in document_types.DOCUMENT_TYPES.values() for key in kind.section_keys())
)
COLUMNS = ("tag", "kind", "year", "status", *SECTIONS)
REQUIRED = ("tag", "kind", "year")
WRITTEN = ("status", "sections", "version", *histories.APPROVAL_COLUMNS)

type Key = tuple[object, ...]


def validate(rows: Sequence[ParsedRow]) -> Iterator[RowResult]:
    """Yield the result of each row: its change or its issues."""
    results = [start(row) for row in rows]
    projects = _projects({result.text("tag") for result in results})
    for result in results:
        result.identity = _identity(result, projects)
    stored = _stored([result.identity for result in results if result.identity])
    for result in results:
        _validate_row(result, stored.get(result.identity) if result.identity else None)
        yield result


def _projects(tags: set[str]) -> dict[str, int]:
    return dict(Project.objects.filter(tag__in=tags).values_list("tag", "pk"))


def _identity(result: RowResult, projects: dict[str, int]) -> Key | None:
    """Return the project's id, the kind and the year, or None after adding an issue for what is wrong."""
    tag, project_id = result.text("tag"), projects.get(result.text("tag"))
    is_known = project_id is not None or not tag
    if not is_known:
        result.add_issue("tag", "There is no project with this tag; import it first.")
    kind, year = result.clean(field_of(Document, "kind")), result.clean(field_of(Document, "year"))
    if is_known and kind and year:
        try:
            Document(project_id=project_id, kind=kind, year=year).clean()
        except ValidationError as error:
            result.add_issue("tag", " ".join(error.messages))
        else:
            return project_id, kind, year
    return None


def _stored(keys: Sequence[Key]) -> dict[Key, Document]:
    projects, kinds, years = (set(part) for part in zip(*keys, strict=True)) if keys else ((), (), ())
    in_projects = Q(project__in=[project_id for project_id in projects if project_id]) | Q(project=None)
    documents = Document.objects.filter(in_projects, kind__in=kinds, year__in=years)
    return {(document.project_id, document.kind, document.year): document for document in documents}


def _validate_row(result: RowResult, stored: Document | None) -> None:
    status = result.clean(field_of(Document, "status")) if result.text("status") else None
    kind = document_types.DOCUMENT_TYPES.get(result.text("kind"))
    before = stored.sections if stored else {}
    sections = before | _sections(result, kind, before) if kind else {}
    if result.has_errors or result.identity is None:
        return
    status = status or (stored.status if stored else Document.Status.NEW.value)
    if stored and (stored.status, before) == (status, sections):
        return
    values = dict(zip(("project_id", "kind", "year"), result.identity, strict=True))
    effect = histories.resolve_document(result, stored, {"status": status, "sections": sections})
    values |= effect["columns"] | {"version": stored.version + 1 if stored else 1}
    result.change = Change(
        row=result.row.number,
        pk=stored.pk if stored else None,
        seen={"version": stored.version} if stored else {},
        values=values,
        history=effect["history"],
    )


def _sections(result: RowResult, kind: document_types.DocumentType, before: dict[str, str]) -> dict[str, str]:
    """Return the sections that the row changes, normalised."""
    given = {key: result.row.cells[key] for key in SECTIONS if key in result.row.cells}
    for key, message in document_types.section_errors(kind, given).items():
        result.add_issue(key, message)
    sections = {}
    for key, html in given.items():
        if before.get(key) == html:
            continue
        try:
            text = normalise_html(html, key)
        except ValidationError as error:
            result.add_issue(key, f"It {error.messages[0]}")
        else:
            sections[key] = text.html
            for warning in text.warnings:
                result.add_issue(key, str(warning), is_error=False)
    try:
        richtext.require_storable(before | sections)
    except ValidationError as error:
        result.add_issue(next(iter(sections)), error.messages[0])
    return sections
