"""What an export is of: which rows, in which format, and the state that they are in for one person."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from django import forms
from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Max, QuerySet, Sum

from documents.exceptions import InvalidExport
from documents.filters import DocumentFilter, ProjectFilter
from documents.models import BusinessArea, Document, Membership, Project, Task, Viewer, document_types

PROJECTS, DOCUMENTS = "projects", "documents"
RESOURCES = (PROJECTS, DOCUMENTS)
DOCUMENT_BESIDE_PROJECT = 5  # times as long
SECONDS_PER_PDF = 0.3
FILTERS = {PROJECTS: ProjectFilter, DOCUMENTS: DocumentFilter}
COLUMNS = {
    PROJECTS: ("tag", "title", "year", "kind", "status", "business_area", "members"),
    DOCUMENTS: ("tag", "kind", "year", "status"),
}


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format: what people call it, its media type, and what a row takes, as measured with projects."""

    title: str
    media_type: str
    seconds_per_row: float


ZIP = "zip"
FORMATS = {
    "csv": Format(title="CSV", media_type="text/csv; charset=utf-8", seconds_per_row=0.00004),
    "xlsx": Format(
        title="XLSX",
        media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        seconds_per_row=0.0001,
    ),
    "jsonl": Format(title="JSON Lines", media_type="application/jsonl", seconds_per_row=0.00004),
    ZIP: Format(title="ZIP of PDFs", media_type="application/zip", seconds_per_row=0.002),
}


@dataclass(frozen=True, kw_only=True)
class ExportSpec:
    """Which rows in which format. ``make`` has the PDFs of a ZIP made that there are not yet."""

    what: str
    format: str
    filters: dict[str, str] = field(default_factory=dict)
    make: bool = False

    def as_arguments(self) -> dict[str, Any]:
        """Return it as a task keeps it."""
        return asdict(self)

    @property
    def is_zip(self) -> bool:
        """Whether it is of PDFs, and not a table."""
        return self.format == ZIP

    @property
    def title(self) -> str:
        """What people read, such as “Documents as CSV”."""
        return f"{self.what.title()} as {FORMATS[self.format].title}"

    @property
    def filter_title(self) -> str:
        """What people read of the filters, such as “Progress Report, 2026”; empty for all."""
        form = _filter_set(self).form
        return ", ".join(_label(name, form.fields[name], value) for name, value in self.filters.items())


@dataclass(frozen=True, kw_only=True)
class ExportVersion:
    """How many rows somebody would get at this moment, and the SHA-256 of what they depend on."""

    rows: int
    fingerprint: str


def from_arguments(arguments: dict[str, Any]) -> ExportSpec:
    """Return the export that a task was asked for."""
    return ExportSpec(**{name: arguments[name] for name in ("what", "format", "filters", "make")})


def parse(*, what: str, format: str, filters: dict[str, str], make: bool = False) -> ExportSpec:  # noqa: A002
    """Return the export that these words of a client name; raises ExportUnknown, saying what there is."""
    if what not in RESOURCES:
        raise InvalidExport(f"For what send one of: {', '.join(RESOURCES)}.")
    if format not in FORMATS:
        raise InvalidExport(f"For format send one of: {', '.join(FORMATS)}.")
    if format == ZIP and what != DOCUMENTS:
        raise InvalidExport("Only documents have PDFs; for projects send one of: csv, xlsx, jsonl.")
    if make and format != ZIP:
        raise InvalidExport("Only for a ZIP can PDFs be made; leave out make.")
    given = {name: str(value) for name, value in sorted(filters.items()) if value != ""}
    export = ExportSpec(what=what, format=format, filters=given, make=make)
    _check_filters(export)
    return export


def queryset_for(export: ExportSpec, user: Viewer) -> QuerySet[Any]:
    """Return the rows that somebody may see at this moment; none for a kept filter that is none any more."""
    filtered = _filter_set(export, user)
    found: QuerySet[Any] = filtered.qs if filtered.is_valid() else filtered.queryset.none()
    return found


def columns_of(export: ExportSpec) -> tuple[str, ...]:
    """Return the names of the columns in order; for documents also the sections of their kind, or of all."""
    if export.what == PROJECTS:
        return COLUMNS[PROJECTS]
    kind = document_types.DOCUMENT_TYPES.get(export.filters.get("kind", ""))
    chosen_kinds = [kind] if kind else document_types.DOCUMENT_TYPES.values()
    keys = dict.fromkeys(key for one in chosen_kinds for key in one.section_keys())
    return (*COLUMNS[DOCUMENTS], *keys)


def current_version(export: ExportSpec, user: Viewer) -> ExportVersion:
    """Return the state of an export, from a few aggregates: equal ones give the same file.

    Whose it is is a part of it, so that two people never share one.
    """
    rows = queryset_for(export, user).order_by()
    sums = {"rows": Count("pk"), "ids": Sum("pk"), "newest": Max("updated_at")}
    if export.what == DOCUMENTS:
        sums |= {"versions": Sum("version"), "project": Max("project__updated_at")}
    found = rows.aggregate(**sums)
    areas = list(BusinessArea.objects.order_by("pk").values_list("pk", "name"))
    parts: list[Any] = [export.as_arguments(), columns_of(export), user.pk, found, areas]
    if export.what == PROJECTS:
        parts.append(_teams(rows))
    fingerprint = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
    return ExportVersion(rows=found["rows"], fingerprint=fingerprint)


def _teams(projects: QuerySet[Any]) -> list[Any]:
    """Return each member's name and what tells that somebody was added or removed; a project is not saved by that."""
    members = Membership.objects.filter(project__in=projects.values("pk")).order_by("user__username")
    return list(members.values("user__username").annotate(rows=Count("pk"), ids=Sum("pk")))


def estimate_seconds(export: ExportSpec, rows: int) -> float:
    """Return about how long it takes to make."""
    weight = DOCUMENT_BESIDE_PROJECT if export.what == DOCUMENTS else 1
    making = SECONDS_PER_PDF if export.make else 0.0
    return rows * (FORMATS[export.format].seconds_per_row * weight + making)


def requesting_user(task: Task) -> Viewer:
    """Return through whose eyes a task sees: nobody's when who asked for it is gone or may not sign in."""
    user = task.requested_by
    return user if user and user.is_active else AnonymousUser()


def _filter_set(export: ExportSpec, user: Viewer | None = None) -> Any:
    model = Project if export.what == PROJECTS else Document
    rows = model.objects.for_user(user) if user is not None else model.objects.none()
    return FILTERS[export.what](data=export.filters, queryset=rows)


def _check_filters(export: ExportSpec) -> None:
    form = _filter_set(export).form
    if unknown := [name for name in export.filters if name not in form.fields]:
        raise InvalidExport(f"There is no filter {unknown[0]!r}; there are: {', '.join(form.fields)}.")
    for name, messages in form.errors.items():
        labels = _labels(form.fields[name])
        there_are = f" There are: {', '.join(filter(None, labels))}." if labels else ""
        raise InvalidExport(f"Filter {name}: {messages[0]}{there_are}")


def _labels(field: forms.Field) -> dict[str, str]:
    """Return what people call the choices of a field."""
    return dict(getattr(field, "choices", ()))


def _label(name: str, field: forms.Field, value: str) -> str:
    """Return what people call the value of a filter; the value itself when it names nothing any more."""
    if name == "business_area":
        return BusinessArea.objects.filter(pk=value).values_list("name", flat=True).first() or f"area {value}"
    return _labels(field).get(value, value)
