"""Rows of projects against the projects that there are. A project is known by its tag."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from documents.models import BusinessArea, Project
from documents.tasks.imports import members
from documents.tasks.imports.reader import ParsedRow
from documents.tasks.imports.row_results import Change, RowResult, field_of, start

COLUMNS = ("tag", "title", "year", "kind", "status", "business_area", members.COLUMN)
REQUIRED = ("tag",)
WRITTEN = ("title", "year", "kind", "status", "business_area")
PLAIN = ("tag", "title", "year", "kind", "status")
STORED = (*PLAIN, "business_area_id")


@dataclass(frozen=True, kw_only=True)
class Lookups:
    """What is stored of all that some rows are about: by tag, name, username and the id of the project."""

    projects: Mapping[str, dict[str, Any]]
    areas: Mapping[str, int]
    people: Mapping[str, int]
    teams: Mapping[int, Sequence[members.Member]]


def validate(rows: Sequence[ParsedRow]) -> Iterator[RowResult]:
    """Yield what each row changes, or what is wrong with it."""
    verdicts = [start(row) for row in rows]
    for verdict in verdicts:
        if (tag := verdict.clean(field_of(Project, "tag"))) is not None:
            verdict.identity = (tag,)
    known = _lookups(verdicts)
    for verdict in verdicts:
        _validate_row(verdict, known)
        yield verdict


def _lookups(verdicts: Sequence[RowResult]) -> Lookups:
    tags = [verdict.identity[0] for verdict in verdicts if verdict.identity]
    projects = {one["tag"]: one for one in Project.objects.filter(tag__in=tags).values("pk", *STORED)}
    return Lookups(
        projects=projects,
        areas=dict(BusinessArea.objects.values_list("name", "pk")),
        people=members.people(verdicts),
        teams=members.teams(one["pk"] for one in projects.values()),
    )


def _validate_row(verdict: RowResult, known: Lookups) -> None:
    stored = known.projects.get(verdict.text("tag"))
    values = {
        name: verdict.clean(field_of(Project, name)) for name in PLAIN[1:] if _is_said(verdict, name, stored)
    }
    if _is_said(verdict, "business_area", stored):
        values["business_area_id"] = _area(verdict, known.areas)
    pk, seen = (stored["pk"], {name: stored[name] for name in STORED}) if stored else (None, {})
    links = members.links(verdict, known.people, known.teams.get(pk, ()) if pk else ())
    if verdict.has_errors:
        return
    after = seen | values
    if after != seen or (links and (links["gone"] or links["new"])):
        after["tag"] = verdict.text("tag")
        verdict.change = Change(row=verdict.row.number, pk=pk, seen=seen, values=after, links=links)


def _is_said(verdict: RowResult, name: str, stored: dict[str, Any] | None) -> bool:
    """Say whether a cell matters: an empty one leaves what is stored, and the default of what is new."""
    is_new = stored is None and verdict.identity is not None
    return bool(verdict.text(name)) or (is_new and not field_of(Project, name).has_default())


def _area(verdict: RowResult, areas: Mapping[str, int]) -> int | None:
    name = verdict.text("business_area")
    if name not in areas:
        verdict.add_issue(
            "business_area",
            "There is no business area of this name; add it first."
            if name
            else "This field cannot be blank.",
        )
    return areas.get(name)
