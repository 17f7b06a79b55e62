"""Read the rows of an export in order and in batches, so that no export is held in memory as a whole."""

import time
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import batched
from typing import Any

from django.db.models import Model, QuerySet

from documents import exceptions
from documents.content import chapters
from documents.models import Document, Membership, Project, Viewer
from documents.queue.registry import TaskContext
from documents.tasks.exports import spec
from documents.tasks.exports.spec import ExportSpec

IDS_AT_A_TIME = 5_000
PROJECTS_AT_A_TIME = 500
DOCUMENTS_AT_A_TIME = 25  # their texts may be long
ORDER = {
    spec.PROJECTS: ("tag",),
    spec.DOCUMENTS: ("project__tag", "year", "kind", "pk"),
}

type Record = dict[str, Any]


def iter_records(export: ExportSpec, ids: Iterable[int]) -> Iterator[Record]:
    """Yield each row by the names of its columns; a document's texts are an object ``sections``."""
    if export.what == spec.PROJECTS:
        for batch in batched(ids, PROJECTS_AT_A_TIME):
            members, projects = _members(batch), Project.objects.select_related("business_area")
            yield from (
                _project(project, members[project.pk])
                for project in _rows(projects, batch, PROJECTS_AT_A_TIME)
            )
    else:
        documents = Document.objects.select_related("project")
        yield from map(_document, _rows(documents, ids, DOCUMENTS_AT_A_TIME))


def iter_documents(ids: Iterable[int]) -> Iterator[Document]:
    """Yield the documents, with all that their PDFs contain prefetched."""
    return _rows(chapters.prefetch_for_print(Document.objects.all()), ids, chapters.BATCH)


def with_progress[Row](rows: Iterable[Row], attempt: TaskContext, *, every: int = 1) -> Iterator[Row]:
    """Yield rows and report their number after each ``every`` rows.

    Raises ExportTooLarge once the attempt's deadline (``time.monotonic``) has passed.
    """
    for number, row in enumerate(rows):
        if number % every == 0:
            attempt.report("write", number)
            if time.monotonic() > attempt.deadline:
                raise exceptions.ExportTooLarge(
                    f"Only {number:,} rows could be exported within the time limit. Narrow the filter."
                )
        yield row


def _rows[Row: Model](rows: QuerySet[Row], ids: Iterable[int], at_a_time: int) -> Iterator[Row]:
    """Yield the rows with these ids in their order; a further filter would make SQLite choose another index."""
    for batch in batched(ids, at_a_time):
        by_id = rows.in_bulk(batch)
        yield from (by_id[pk] for pk in batch if pk in by_id)


def ids_for(export: ExportSpec, user: Viewer) -> "array[int]":
    """Return the ids of the rows that a user may see, in order, at 8 bytes each.

    A cursor that stays open during an export would keep SQLite from writing the task's progress, and sorting
    whole rows would load all their texts into the database's memory.
    """
    ordered = spec.queryset_for(export, user).order_by(*ORDER[export.what]).values_list("pk", flat=True)
    return array("q", ordered.iterator(chunk_size=IDS_AT_A_TIME))


def _members(project_ids: Sequence[int]) -> dict[int, list[str]]:
    """Return the usernames of each project's members; creating user objects would take most of an export's time."""
    usernames: dict[int, list[str]] = defaultdict(list)
    rows = Membership.objects.filter(project__in=project_ids).order_by()
    for project_id, username in rows.values_list("project_id", "user__username"):
        usernames[project_id].append(username)
    return usernames


def _project(project: Project, members: list[str]) -> Record:
    return {
        "tag": project.tag,
        "title": project.title,
        "year": project.year,
        "kind": project.kind,
        "status": project.status,
        "business_area": project.business_area.name,
        "members": sorted(members),  # databases sort text differently
    }


def _document(document: Document) -> Record:
    return {
        "tag": document.project.tag if document.project else "",
        "kind": document.kind,
        "year": document.year,
        "status": document.status,
        "sections": document.sections,
    }
