"""Rows of projects against the projects that there are. A project is known by its tag."""

from collections.abc import Iterator, Sequence
from typing import Any

from documents.imports.reading import Row
from documents.imports.verdicts import Change, Verdict, begin, field_of
from documents.models import BusinessArea, Project

COLUMNS = ("tag", "title", "year", "kind", "status", "business_area")
REQUIRED = ("tag",)
WRITTEN = ("title", "year", "kind", "status", "business_area")
PLAIN = ("tag", "title", "year", "kind", "status")
STORED = (*PLAIN, "business_area_id")


def judge(rows: Sequence[Row]) -> Iterator[Verdict]:
    """Yield what each row changes, or what is wrong with it."""
    verdicts = [begin(row) for row in rows]
    for verdict in verdicts:
        if (tag := verdict.clean(field_of(Project, "tag"))) is not None:
            verdict.identity = (tag,)
    tags = [verdict.identity[0] for verdict in verdicts if verdict.identity]
    stored = {one["tag"]: one for one in Project.objects.filter(tag__in=tags).values("pk", *STORED)}
    areas = dict(BusinessArea.objects.values_list("name", "pk"))
    for verdict in verdicts:
        tag = verdict.identity[0] if verdict.identity else None
        _judge(verdict, stored.get(tag), areas)
        yield verdict


def _judge(verdict: Verdict, stored: dict[str, Any] | None, areas: dict[str, int]) -> None:
    values = {
        name: verdict.clean(field_of(Project, name)) for name in PLAIN[1:] if _is_said(verdict, name, stored)
    }
    if _is_said(verdict, "business_area", stored):
        values["business_area_id"] = _area(verdict, areas)
    if verdict.has_errors:
        return
    pk, seen = (stored["pk"], {name: stored[name] for name in STORED}) if stored else (None, {})
    if values and (after := seen | values) != seen:
        verdict.change = Change(
            row=verdict.row.number, pk=pk, seen=seen, values=after | {"tag": verdict.text("tag")}
        )


def _is_said(verdict: Verdict, name: str, stored: dict[str, Any] | None) -> bool:
    """Say whether a cell matters: an empty one leaves what is stored, and the default of what is new."""
    is_new = stored is None and verdict.identity is not None
    return bool(verdict.text(name)) or (is_new and not field_of(Project, name).has_default())


def _area(verdict: Verdict, areas: dict[str, int]) -> int | None:
    name = verdict.text("business_area")
    if name not in areas:
        verdict.object_to(
            "business_area",
            "There is no business area of this name; add it first."
            if name
            else "This field cannot be blank.",
        )
    return areas.get(name)
