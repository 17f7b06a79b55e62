"""What can be imported: its columns, the validation of its rows, and the table they are written to."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db import models

from documents.models import Document, Membership, Project
from documents.tasks.imports import documents, histories, projects
from documents.tasks.imports.reader import ParsedRow
from documents.tasks.imports.row_results import Change, RowResult


@dataclass(frozen=True, kw_only=True)
class LinkTable:
    """A table that links rows of a resource to others, with the columns that hold the ids of both."""

    model: type[models.Model]
    row: str
    other: str


@dataclass(frozen=True, kw_only=True)
class ImportResource:
    """A table that rows are imported into; ``written`` are the fields that an import may change in a stored row.

    ``record`` adds what was written to the history, as done by the user with the name ``by``.
    """

    model: type[models.Model]
    columns: tuple[str, ...]
    required: tuple[str, ...]
    written: tuple[str, ...]
    validate: Callable[[Sequence[ParsedRow]], Iterator[RowResult]]
    record: Callable[[Iterable[tuple[int, Change]], str], None]
    links: LinkTable | None = None
    by: str = ""


RESOURCES = {
    "projects": ImportResource(
        model=Project,
        columns=projects.COLUMNS,
        required=projects.REQUIRED,
        written=projects.WRITTEN,
        validate=projects.validate,
        record=histories.record_projects,
        links=LinkTable(model=Membership, row="project_id", other="user_id"),
    ),
    "documents": ImportResource(
        model=Document,
        columns=documents.COLUMNS,
        required=documents.REQUIRED,
        written=documents.WRITTEN,
        validate=documents.validate,
        record=histories.record_documents,
    ),
}
