"""Write a plan into the database, in the transaction of the caller: all of it or nothing."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import batched

from django.db import IntegrityError

from documents import exceptions
from documents.tasks.imports.resources import ImportResource, LinkTable
from documents.tasks.imports.row_results import Change

RECHECK_HINT = "Nothing was written. Check the file again, then import it."
DELETED_AT_ONCE = 5_000  # databases limit the parameters of a statement


def write_rows(batches: Iterable[Sequence[Change]], resource: ImportResource) -> None:
    """Store every change; stored rows must still be as they were when the file was validated.

    Call it in a transaction. Raises ImportConflict.
    """
    for batch in batches:
        changed = [change for change in batch if change.pk is not None]
        new = [change for change in batch if change.pk is None]
        _require_unchanged(changed, resource)
        added = _insert(new, resource)
        _update(changed, resource)
        pks = [*(change.pk for change in changed if change.pk is not None), *added]
        stored = list(zip(pks, [*changed, *new], strict=True))
        resource.record(stored, resource.by)
        if resource.links:
            _link(stored, resource.links)


def _require_unchanged(changed: Sequence[Change], resource: ImportResource) -> None:
    """Lock the rows and compare them. Raises ImportConflict."""
    if not changed:
        return
    rows = resource.model._default_manager.select_for_update().filter(
        pk__in=[change.pk for change in changed]
    )
    current = {row.pop("pk"): row for row in rows.order_by("pk").values("pk", *changed[0].seen)}
    links = _current_links(changed, resource.links) if resource.links else {}
    for change in changed:
        has_other_links = change.links and links.get(change.pk, []) != change.links["seen"]
        if current.get(change.pk) != change.seen or has_other_links:
            raise exceptions.ImportConflict(
                f"Another user changed the record of row {change.row} during the import. {RECHECK_HINT}"
            )


def _current_links(changed: Sequence[Change], table: LinkTable) -> dict[int | None, list[list[int]]]:
    """Lock the links that the changes touch, and return them in the form of ``Links["seen"]``."""
    links: dict[int | None, list[list[int]]] = defaultdict(list)
    if pks := [change.pk for change in changed if change.links]:
        rows = table.model._default_manager.select_for_update().filter(**{f"{table.row}__in": pks})
        for pk, *link in rows.order_by("pk").values_list(table.row, "pk", table.other):
            links[pk].append(link)
    return links


def _insert(new: Sequence[Change], resource: ImportResource) -> list[int]:
    """Add rows and return their ids."""
    try:
        rows = resource.model._default_manager.bulk_create(
            [resource.model(**change.values) for change in new]
        )
    except IntegrityError as error:
        numbers = f"rows {new[0].row} to {new[-1].row}"
        raise exceptions.ImportConflict(
            f"Another user added or removed a record of {numbers} during the import. {RECHECK_HINT}"
        ) from error
    return [row.pk for row in rows]


def _update(changed: Sequence[Change], resource: ImportResource) -> None:
    """Update by INSERT … ON CONFLICT: many times faster than bulk_update with its long CASE."""
    if not changed:
        return
    resource.model._default_manager.bulk_create(
        [resource.model(pk=change.pk, **change.values) for change in changed],
        update_conflicts=True,
        unique_fields=["pk"],
        update_fields=[*resource.written, "updated_at"],
    )


def _link(changes: Iterable[tuple[int, Change]], table: LinkTable) -> None:
    """Remove and add the links of rows with these ids, with few statements however many rows there are."""
    linked = [(pk, change.links) for pk, change in changes if change.links]
    for batch in batched((pk for _, links in linked for pk in links["gone"]), DELETED_AT_ONCE):
        table.model._default_manager.filter(pk__in=batch).delete()
    table.model._default_manager.bulk_create(
        table.model(**{table.row: pk}, **link) for pk, links in linked for link in links["new"]
    )
