"""The result of validating a row: its issues, or the change it makes."""

import re
from dataclasses import dataclass, field
from typing import Any, TypedDict, cast

from django.core.exceptions import ValidationError
from django.db import models

from documents.models.mistakes import shortened
from documents.tasks.imports.keys import normalise_key
from documents.tasks.imports.reader import ParsedRow

MAX_PROBLEM_CHARACTERS = 500
WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")
HIDDEN_ROW = (
    "This row is hidden in the spreadsheet and is imported like the others. Delete it to leave it out."
)


@dataclass(frozen=True, kw_only=True)
class Issue:
    """An error in a cell, or a warning about it."""

    row: int
    column: str
    value: str
    problem: str
    is_error: bool = True


class Links(TypedDict):
    """The links of a row to remove and to add in the table that ties it to others.

    ``seen`` are pairs of a link's id and the id at its other end, ``gone`` ids of links, ``new`` their columns.
    """

    seen: list[list[int]]
    gone: list[int]
    new: list[dict[str, int]]


@dataclass(frozen=True, kw_only=True)
class Change:
    """A row to write: a new one, or ``pk`` as long as its columns still are as they were ``seen``.

    ``values`` are all columns that a new row needs, by the name of the attribute, ready for the database.
    Without ``links`` they stay as they are. ``history`` is the record to add to the history, if any.
    """

    row: int
    pk: int | None
    seen: dict[str, Any]
    values: dict[str, Any]
    links: Links | None = None
    history: dict[str, Any] | None = None


@dataclass(kw_only=True)
class RowResult:
    """The result of one row; without errors and without a change the row is stored already."""

    row: ParsedRow
    identity: tuple[object, ...] | None = None
    change: Change | None = None
    issues: list[Issue] = field(default_factory=list)

    @property
    def has_errors(self) -> bool:
        """Whether the row cannot be written."""
        return any(issue.is_error for issue in self.issues)

    def text(self, column: str) -> str:
        """Return the text of a cell that names something, with plain single spaces."""
        return normalise_key(self.row.cells.get(column, ""))

    def add_issue(self, column: str, problem: str, *, is_error: bool = True) -> None:
        """Add an issue about a cell."""
        value = self.row.cells.get(column, "")
        self.issues.append(issue(self.row.number, column, value, problem, is_error=is_error))

    def clean(self, field: models.Field[Any, Any], text: str | None = None) -> Any:
        """Return a cell, or the text given for it, as the model's field takes it; None after adding its error."""
        text = self.text(field.name) if text is None else text
        if isinstance(field, models.IntegerField) and not WHOLE_NUMBER.fullmatch(text or "0"):
            self.add_issue(field.name, "Write a whole number with the digits 0 to 9.")
            return None
        try:
            return field.clean(text, None)
        except ValidationError as error:
            self.add_issue(field.name, _message(field, error))
            return None


def issue(row: int, column: str, value: str, problem: str, *, is_error: bool = True) -> Issue:
    """Return an issue, its texts shortened to what a table can show."""
    return Issue(
        row=row,
        column=shortened(column),
        value=shortened(value),
        problem=shortened(problem, MAX_PROBLEM_CHARACTERS),
        is_error=is_error,
    )


def field_of(model: type[models.Model], name: str) -> models.Field[Any, Any]:
    """Return a field of a model."""
    return cast("models.Field[Any, Any]", model._meta.get_field(name))


def start(row: ParsedRow) -> RowResult:
    """Return a result with an issue for each cell that could not be read."""
    issues = [issue(row.number, column, cell.value, cell.reason) for column, cell in row.bad]
    if row.is_hidden:
        issues.append(issue(row.number, "", "", HIDDEN_ROW, is_error=False))
    return RowResult(row=row, issues=issues)


def _message(field: models.Field[Any, Any], error: ValidationError) -> str:
    if field.choices and error.code == "invalid_choice":
        return f"It is none of: {', '.join(str(key) for key, _ in field.flatchoices)}."
    return " ".join(error.messages)
