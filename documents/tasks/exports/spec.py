"""The specification of an export: which rows, in which format, and their version for one user."""

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
DOCUMENT_WEIGHT = 5  # a document takes as long as so many projects
SECONDS_PER_PDF = 0.3
FILTERS = {PROJECTS: ProjectFilter, DOCUMENTS: DocumentFilter}
COLUMNS = {
    PROJECTS: ("tag", "title", "year", "kind", "status", "business_area", "members"),
    DOCUMENTS: ("tag", "kind", "year", "status"),
}


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format: its title, its media type, and the seconds for a row, measured with projects."""

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
    """Which rows in which format; with ``make``, missing PDFs of a ZIP are rendered first."""

    what: str
    format: str
    filters: dict[str, str] = field(default_factory=dict)
    make: bool = False

    def as_arguments(self) -> dict[str, Any]:
        """Return the arguments of the task."""
        return asdict(self)

    @property
    def is_zip(self) -> bool:
        """Whether it is a ZIP of PDFs, not a table."""
        return self.format == ZIP

    @property
    def title(self) -> str:
        """The title for people, such as “Documents as CSV”."""
        return f"{self.what.title()} as {FORMATS[self.format].title}"

    @property
    def filter_title(self) -> str:
        """The filters for people, such as “Progress Report, 2026”; empty without filters."""
        form = _filter_set(self).form
        return ", ".join(_label(name, form.fields[name], value) for name, value in self.filters.items())


@dataclass(frozen=True, kw_only=True)
class ExportVersion:
    """How many rows a user would get now, and the SHA-256 of what they depend on."""

    rows: int
    fingerprint: str


def from_arguments(arguments: dict[str, Any]) -> ExportSpec:
    """Return the export that a task was created for."""
    return ExportSpec(**{name: arguments[name] for name in ("what", "format", "filters", "make")})


def parse(*, what: str, format: str, filters: dict[str, str], make: bool = False) -> ExportSpec:  # noqa: A002
    """Return the export that a client's parameters name; raises InvalidExport with the valid values."""
    if what not in RESOURCES:
        raise InvalidExport(f"what must be one of: {', '.join(RESOURCES)}.")
    if format not in FORMATS:
        raise InvalidExport(f"format must be one of: {', '.join(FORMATS)}.")
    if format == ZIP and what != DOCUMENTS:
        raise InvalidExport(
            "Only documents have PDFs. For projects, format must be one of: csv, xlsx, jsonl."
        )
    if make and format != ZIP:
        raise InvalidExport("PDFs can be made only for a ZIP. Leave out make.")
    set_filters = {name: str(value) for name, value in sorted(filters.items()) if value != ""}
    export = ExportSpec(what=what, format=format, filters=set_filters, make=make)
    _check_filters(export)
    return export


def queryset_for(export: ExportSpec, user: Viewer) -> QuerySet[Any]:
    """Return the rows that a user may see now; none if a stored filter is no longer valid."""
    filtered = _filter_set(export, user)
    rows: QuerySet[Any] = filtered.qs if filtered.is_valid() else filtered.queryset.none()
    return rows


def columns_of(export: ExportSpec) -> tuple[str, ...]:
    """Return the names of the columns in order; documents have the sections of the filtered kind, or of all."""
    if export.what == PROJECTS:
        return COLUMNS[PROJECTS]
    filtered_type = document_types.DOCUMENT_TYPES.get(export.filters.get("kind", ""))
    types = [filtered_type] if filtered_type else document_types.DOCUMENT_TYPES.values()
    keys = dict.fromkeys(key for document_type in types for key in document_type.section_keys())
    return (*COLUMNS[DOCUMENTS], *keys)


def current_version(export: ExportSpec, user: Viewer) -> ExportVersion:
    """Return the version of an export, from a few aggregates: equal versions give the same file.

    It includes the user, so that two people never share a file.
    """
    rows = queryset_for(export, user).order_by()
    sums = {"rows": Count("pk"), "ids": Sum("pk"), "newest": Max("updated_at")}
    if export.what == DOCUMENTS:
        sums |= {"versions": Sum("version"), "project": Max("project__updated_at")}
    totals = rows.aggregate(**sums)
    areas = list(BusinessArea.objects.order_by("pk").values_list("pk", "name"))
    parts: list[Any] = [export.as_arguments(), columns_of(export), user.pk, totals, areas]
    if export.what == PROJECTS:
        parts.append(_teams(rows))
    fingerprint = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
    return ExportVersion(rows=totals["rows"], fingerprint=fingerprint)


def _teams(projects: QuerySet[Any]) -> list[Any]:
    """Return each member's username with totals that change with the memberships; those do not save the project."""
    members = Membership.objects.filter(project__in=projects.values("pk")).order_by("user__username")
    return list(members.values("user__username").annotate(rows=Count("pk"), ids=Sum("pk")))


def estimate_seconds(export: ExportSpec, rows: int) -> float:
    """Return how many seconds the export probably takes."""
    weight = DOCUMENT_WEIGHT if export.what == DOCUMENTS else 1
    render_seconds = SECONDS_PER_PDF if export.make else 0.0
    return rows * (FORMATS[export.format].seconds_per_row * weight + render_seconds)


def requesting_user(task: Task) -> Viewer:
    """Return the user who requested a task; anonymous if the account was deleted or deactivated."""
    user = task.requested_by
    return user if user and user.is_active else AnonymousUser()


def _filter_set(export: ExportSpec, user: Viewer | None = None) -> Any:
    model = Project if export.what == PROJECTS else Document
    rows = model.objects.for_user(user) if user is not None else model.objects.none()
    return FILTERS[export.what](data=export.filters, queryset=rows)


def _check_filters(export: ExportSpec) -> None:
    form = _filter_set(export).form
    if unknown := [name for name in export.filters if name not in form.fields]:
        raise InvalidExport(f"There is no filter {unknown[0]!r}. The filters are: {', '.join(form.fields)}.")
    for name, messages in form.errors.items():
        labels = _labels(form.fields[name])
        choices = f" The choices are: {', '.join(filter(None, labels))}." if labels else ""
        raise InvalidExport(f"Filter {name}: {messages[0]}{choices}")


def _labels(field: forms.Field) -> dict[str, str]:
    """Return the labels of a field's choices."""
    return dict(getattr(field, "choices", ()))


def _label(name: str, field: forms.Field, value: str) -> str:
    """Return the label of a filter's value; the value itself if it no longer has one."""
    if name == "business_area":
        return BusinessArea.objects.filter(pk=value).values_list("name", flat=True).first() or f"area {value}"
    return _labels(field).get(value, value)
