"""What can be imported: its columns, who judges its rows, where they are written."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from django.db import models

from documents.models import Document, Membership, Project
from documents.tasks.imports import documents, projects
from documents.tasks.imports.reader import ParsedRow
from documents.tasks.imports.row_results import RowResult


@dataclass(frozen=True, kw_only=True)
class LinkTable:
    """A table between the rows of a subject and others, with the columns that hold the ids of both."""

    model: type[models.Model]
    row: str
    other: str


@dataclass(frozen=True, kw_only=True)
class ImportResource:
    """A table that rows go to; ``written`` are the fields that an import may change in a row that is there."""

    model: type[models.Model]
    columns: tuple[str, ...]
    required: tuple[str, ...]
    written: tuple[str, ...]
    judge: Callable[[Sequence[ParsedRow]], Iterator[RowResult]]
    links: LinkTable | None = None


RESOURCES = {
    "projects": ImportResource(
        model=Project,
        columns=projects.COLUMNS,
        required=projects.REQUIRED,
        written=projects.WRITTEN,
        judge=projects.validate,
        links=LinkTable(model=Membership, row="project_id", other="user_id"),
    ),
    "documents": ImportResource(
        model=Document,
        columns=documents.COLUMNS,
        required=documents.REQUIRED,
        written=documents.WRITTEN,
        judge=documents.validate,
    ),
}
