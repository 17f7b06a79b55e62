"""Write a plan into the database, inside one transaction of the caller: all of it or nothing."""

from collections.abc import Iterable, Sequence

from django.db import IntegrityError

from documents import errors
from documents.imports.subjects import Subject
from documents.imports.verdicts import Change

CHECK_AGAIN = "Nothing was written. Check the file again, then import it."


def write(batches: Iterable[Sequence[Change]], subject: Subject) -> None:
    """Store every change; rows that are there must still be as they were when the file was judged.

    To be called in a transaction. Raises ImportConflict.
    """
    for batch in batches:
        _require_unchanged([one for one in batch if one.pk is not None], subject)
        _insert([one for one in batch if one.pk is None], subject)
        _update([one for one in batch if one.pk is not None], subject)


def _require_unchanged(changed: Sequence[Change], subject: Subject) -> None:
    """Lock the rows and compare them. Raises ImportConflict."""
    if not changed:
        return
    rows = subject.model._default_manager.select_for_update().filter(pk__in=[one.pk for one in changed])
    now = {row.pop("pk"): row for row in rows.order_by("pk").values("pk", *changed[0].seen)}
    for one in changed:
        if now.get(one.pk) != one.seen:
            raise errors.ImportConflict(
                f"What row {one.row} is about was changed by somebody else meanwhile. {CHECK_AGAIN}"
            )


def _insert(new: Sequence[Change], subject: Subject) -> None:
    try:
        subject.model._default_manager.bulk_create([subject.model(**one.values) for one in new])
    except IntegrityError as error:
        rows = f"rows {new[0].row} to {new[-1].row}"
        raise errors.ImportConflict(
            f"Something in {rows} was added or removed by somebody else meanwhile. {CHECK_AGAIN}"
        ) from error


def _update(changed: Sequence[Change], subject: Subject) -> None:
    """Update as INSERT … ON CONFLICT does it: many times faster than bulk_update with its long CASE."""
    if not changed:
        return
    subject.model._default_manager.bulk_create(
        [subject.model(pk=one.pk, **one.values) for one in changed],
        update_conflicts=True,
        unique_fields=["pk"],
        update_fields=[*subject.written, "updated_at"],
    )
