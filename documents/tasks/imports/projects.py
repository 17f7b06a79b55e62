"""Validate rows of projects against the stored ones; the tag identifies a project."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from documents.models import BusinessArea, Project
from documents.tasks.imports import histories, members
from documents.tasks.imports.keys import normalise_key
from documents.tasks.imports.reader import ParsedRow
from documents.tasks.imports.row_results import Change, RowResult, field_of, start

COLUMNS = ("tag", "title", "year", "kind", "status", "business_area", members.COLUMN)
REQUIRED = ("tag",)
WRITTEN = ("title", "year", "kind", "status", "business_area", "version")
PLAIN = ("tag", "title", "year", "kind", "status")
STORED = (*PLAIN, "business_area_id", "version")


@dataclass(frozen=True, kw_only=True)
class Lookups:
    """What is stored about a batch of rows, by tag, name of the area, username and id of the project."""

    projects: Mapping[str, dict[str, Any]]
    areas: Mapping[str, int]
    people: Mapping[str, int]
    teams: Mapping[int, Sequence[members.Member]]


def validate(rows: Sequence[ParsedRow]) -> Iterator[RowResult]:
    """Yield the result of each row: its change or its issues."""
    results = [start(row) for row in rows]
    for result in results:
        if (tag := result.clean(field_of(Project, "tag"))) is not None:
            result.identity = (tag,)
    lookups = _lookups(results)
    for result in results:
        _validate_row(result, lookups)
        yield result


def _lookups(results: Sequence[RowResult]) -> Lookups:
    tags = [result.identity[0] for result in results if result.identity]
    projects = {row["tag"]: row for row in Project.objects.filter(tag__in=tags).values("pk", *STORED)}
    return Lookups(
        projects=projects,
        areas=_areas(),
        people=members.people(results),
        teams=members.teams(row["pk"] for row in projects.values()),
    )


def _areas() -> dict[str, int]:
    """Return the ids of all areas by name, and by name with plain spaces where that names only one."""
    exact = dict(BusinessArea.objects.values_list("name", "pk"))
    counts = Counter(map(normalise_key, exact))
    plain = {normalise_key(name): pk for name, pk in exact.items() if counts[normalise_key(name)] == 1}
    return plain | exact


def _validate_row(result: RowResult, lookups: Lookups) -> None:
    stored = lookups.projects.get(result.text("tag"))
    values = {
        name: result.clean(field_of(Project, name), _title(result, stored) if name == "title" else None)
        for name in PLAIN[1:]
        if _sets_field(result, name, stored)
    }
    if _sets_field(result, "business_area", stored):
        values["business_area_id"] = _area(result, lookups.areas)
    pk, before = (stored["pk"], {name: stored[name] for name in STORED}) if stored else (None, {})
    links = members.links(result, lookups.people, lookups.teams.get(pk, ()) if pk else ())
    if result.has_errors:
        return
    after = before | values
    has_new_team = bool(links and (links["gone"] or links["new"]))
    if after != before or has_new_team:
        history = histories.resolve_project(before, after, has_new_team=has_new_team) if stored else None
        after |= {"tag": result.text("tag"), "version": before.get("version", 0) + 1}
        result.change = Change(
            row=result.row.number, pk=pk, seen=before, values=after, links=links, history=history
        )


def _sets_field(result: RowResult, name: str, stored: dict[str, Any] | None) -> bool:
    """Return True if a cell sets its field: an empty one leaves the stored value, or a new row's default."""
    is_new = stored is None and result.identity is not None
    return bool(result.text(name)) or (is_new and not field_of(Project, name).has_default())


def _title(result: RowResult, stored: dict[str, Any] | None) -> str:
    """Return the title of a row: exactly the stored one if nobody has changed it, else without spaces around it."""
    title = result.row.cells.get("title", "")
    return title if stored and title == stored["title"] else title.strip()


def _area(result: RowResult, areas: Mapping[str, int]) -> int | None:
    """Return the id of the area with the name in a row, however it is spaced, or None after adding an issue."""
    written, name = result.row.cells.get("business_area", ""), result.text("business_area")
    pk = areas.get(written, areas.get(name))
    if pk is None:
        result.add_issue(
            "business_area",
            "There is no business area with this name; add it first."
            if name
            else "This field cannot be blank.",
        )
    return pk
