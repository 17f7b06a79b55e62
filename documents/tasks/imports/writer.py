"""Write a plan into the database, inside one transaction of the caller: all of it or nothing."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import batched

from django.db import IntegrityError

from documents import exceptions
from documents.tasks.imports.resources import ImportResource, LinkTable
from documents.tasks.imports.row_results import Change

RECHECK_HINT = "Nothing was written. Check the file again, then import it."
DELETED_AT_ONCE = 5_000  # a database takes only so many parameters


def write_rows(batches: Iterable[Sequence[Change]], subject: ImportResource) -> None:
    """Store every change; rows that are there must still be as they were when the file was judged.

    To be called in a transaction. Raises ImportConflict.
    """
    for batch in batches:
        changed = [one for one in batch if one.pk is not None]
        new = [one for one in batch if one.pk is None]
        _require_unchanged(changed, subject)
        added = _insert(new, subject)
        _update(changed, subject)
        if subject.links:
            _link(zip([*(one.pk for one in changed), *added], [*changed, *new], strict=True), subject.links)


def _require_unchanged(changed: Sequence[Change], subject: ImportResource) -> None:
    """Lock the rows and compare them. Raises ImportConflict."""
    if not changed:
        return
    rows = subject.model._default_manager.select_for_update().filter(pk__in=[one.pk for one in changed])
    now = {row.pop("pk"): row for row in rows.order_by("pk").values("pk", *changed[0].seen)}
    links = _links_now(changed, subject.links) if subject.links else {}
    for one in changed:
        if now.get(one.pk) != one.seen or (one.links and links.get(one.pk, []) != one.links["seen"]):
            raise exceptions.ImportConflict(
                f"What row {one.row} is about was changed by somebody else meanwhile. {RECHECK_HINT}"
            )


def _links_now(changed: Sequence[Change], table: LinkTable) -> dict[int | None, list[list[int]]]:
    """Lock the links that a file speaks of, and return them as a plan has seen them."""
    found: dict[int | None, list[list[int]]] = defaultdict(list)
    if pks := [one.pk for one in changed if one.links]:
        rows = table.model._default_manager.select_for_update().filter(**{f"{table.row}__in": pks})
        for pk, *link in rows.order_by("pk").values_list(table.row, "pk", table.other):
            found[pk].append(link)
    return found


def _insert(new: Sequence[Change], subject: ImportResource) -> list[int]:
    """Add rows and return their ids."""
    try:
        rows = subject.model._default_manager.bulk_create([subject.model(**one.values) for one in new])
    except IntegrityError as error:
        numbers = f"rows {new[0].row} to {new[-1].row}"
        raise exceptions.ImportConflict(
            f"Something in {numbers} was added or removed by somebody else meanwhile. {RECHECK_HINT}"
        ) from error
    return [row.pk for row in rows]


def _update(changed: Sequence[Change], subject: ImportResource) -> None:
    """Update as INSERT … ON CONFLICT does it: many times faster than bulk_update with its long CASE."""
    if not changed:
        return
    subject.model._default_manager.bulk_create(
        [subject.model(pk=one.pk, **one.values) for one in changed],
        update_conflicts=True,
        unique_fields=["pk"],
        update_fields=[*subject.written, "updated_at"],
    )


def _link(changes: Iterable[tuple[int | None, Change]], table: LinkTable) -> None:
    """Remove and add the links of rows with these ids, whatever number of rows with few statements."""
    said = [(pk, one.links) for pk, one in changes if one.links]
    for some in batched((pk for _, links in said for pk in links["gone"]), DELETED_AT_ONCE):
        table.model._default_manager.filter(pk__in=some).delete()
    table.model._default_manager.bulk_create(
        table.model(**{table.row: pk}, **link) for pk, links in said for link in links["new"]
    )
