"""What the rows of an import do to the history: which approvals they reset, and the records to add."""

from collections.abc import Iterable, Mapping
from typing import Any

from documents.models import Document, DocumentChange, ProjectChange
from documents.models.approvals import APPROVALS, resolve
from documents.models.changes import describe
from documents.tasks.imports.row_results import Change, RowResult

APPROVAL_COLUMNS = tuple(APPROVALS.values())


def resolve_document(result: RowResult, stored: Document | None, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns to write and, under ``history``, their record; warn if the row resets approvals.

    A status that is stored already approves nothing anew: a spreadsheet repeats it in every row.
    """
    document = stored or Document(kind=result.text("kind"))
    different = {name: value for name, value in values.items() if getattr(document, name) != value}
    effect = resolve(document, different)
    if effect.history["reset"]:
        problem = f"The row resets what was approved before this change: {describe(effect.history['reset'])}."
        result.add_issue(effect.history["changed"][0].removeprefix("sections."), problem, is_error=False)
    approvals = {column: getattr(document, column) for column in APPROVAL_COLUMNS}
    is_recorded = stored is not None or effect.history["approved"]
    return {
        "columns": {**values, **approvals, **effect.columns},
        "history": effect.history if is_recorded else None,
    }


def resolve_project(
    before: Mapping[str, Any], after: Mapping[str, Any], *, has_new_team: bool
) -> dict[str, Any]:
    """Return the record of a change of a project."""
    names = [name.removesuffix("_id") for name, value in after.items() if before.get(name) != value]
    return {"changed": [*names, *(["team"] if has_new_team else [])]}


def record_documents(changes: Iterable[tuple[int, Change]], by: str) -> None:
    """Add what happened to documents with these ids to their history."""
    DocumentChange.objects.bulk_create(
        DocumentChange(document_id=pk, version=change.values["version"], by=by, **change.history)
        for pk, change in changes
        if change.history
    )


def record_projects(changes: Iterable[tuple[int, Change]], by: str) -> None:
    """Add what happened to projects with these ids to their history."""
    ProjectChange.objects.bulk_create(
        ProjectChange(project_id=pk, version=change.values["version"], by=by, **change.history)
        for pk, change in changes
        if change.history
    )
