"""How the PDFs of many documents stand, read with a fixed number of queries for a page of a list."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import models
from django.db.models import Max, OuterRef, Subquery

from documents.content import chapters
from documents.models import Document, Project, Task, TaskQuerySet
from documents.tasks.pdf import task as pdf_task

# The texts of so many documents are in memory at once; a document has up to 8 MB.
DOCUMENTS_AT_A_TIME = 13


class State(models.TextChoices):
    """How the PDF of a document stands."""

    READY = "ready", "Ready"
    OLDER = "older", "Older than the text"
    MAKING = "making", "Being made"
    FAILED = "failed", "Failed"
    NONE = "none", "Not made yet"


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """The state of a document's PDF.

    ``newest`` is the last task that was asked for, and ``made`` the last one with a PDF, if any.
    """

    state: State
    newest: Task | None = None
    made: Task | None = None


def read(documents: Sequence[Document]) -> dict[int, Readiness]:
    """Return how the PDFs of documents stand, by the document's id; texts need not be loaded.

    A PDF is ready, and a failure counts, if the fingerprint is that of the document now. For an annual report, whose
    fingerprint costs a query for every few chapters, it does if nothing of its year was changed since it was begun.
    """
    tasks = _tasks([document.pk for document in documents])
    made = {pk: pair[1] for pk, pair in tasks.items() if pair[1]}
    failed = {pk: pair[0] for pk, pair in tasks.items() if pair[0] and pair[0].status == Task.Status.FAILED}
    ready_ids = _current_ids([document for document in documents if _has_version(document, made)], made)
    not_ready = [document for document in documents if document.pk in failed.keys() - ready_ids]
    failed_ids = _current_ids(not_ready, failed)
    states = dict.fromkeys(ready_ids, State.READY) | dict.fromkeys(failed_ids, State.FAILED)
    return {
        document.pk: _readiness(*tasks.get(document.pk, (None, None)), states.get(document.pk))
        for document in documents
    }


def _readiness(newest: Task | None, made: Task | None, state: State | None) -> Readiness:
    """Return how a PDF stands; ``state`` is READY or FAILED if a task with the document's input of now has ended so."""
    if newest and not newest.has_ended:
        state = State.MAKING
    return Readiness(state=state or (State.OLDER if made else State.NONE), newest=newest, made=made)


def _tasks(document_ids: Sequence[int]) -> dict[int, tuple[Task | None, Task | None]]:
    """Return the last task that was asked for and the last succeeded one of each document, of the usual edition."""
    usual = Task.objects.filter(document=OuterRef("pk"), kind=pdf_task.KIND, arguments={})
    ids = Document.objects.filter(pk__in=document_ids).values_list(
        "pk", _last_id(usual.asked_for()), _last_id(usual.filter(status=Task.Status.SUCCEEDED))
    )
    rows = list(ids)
    tasks = Task.objects.in_bulk({pk for _, *pair in rows for pk in pair if pk})
    return {document_id: (tasks.get(newest), tasks.get(made)) for document_id, newest, made in rows}


def _last_id(tasks: TaskQuerySet) -> Subquery:
    return Subquery(tasks.order_by("-created_at").values("pk")[:1])


def _has_version(document: Document, made: Mapping[int, Task]) -> bool:
    return document.pk in made and (made[document.pk].result or {}).get("version") == document.version


def _current_ids(documents: Sequence[Document], tasks: Mapping[int, Task]) -> set[int]:
    """Return the ids of the documents whose task in ``tasks`` has the input of now."""
    return _with_equal_fingerprint(documents, tasks) | _with_quiet_year(documents, tasks)


def _with_equal_fingerprint(documents: Iterable[Document], tasks: Mapping[int, Task]) -> set[int]:
    """Return the ids of the projects' documents whose tasks were begun for them as they are now."""
    ids = [document.pk for document in documents if document.kind_info.has_project]
    texts = chapters.prefetch_for_print(Document.objects.filter(pk__in=ids))
    return {
        document.pk
        for document in texts.iterator(chunk_size=DOCUMENTS_AT_A_TIME)
        if pdf_task.fingerprint(document) == tasks[document.pk].fingerprint
    }


def _with_quiet_year(documents: Iterable[Document], tasks: Mapping[int, Task]) -> set[int]:
    """Return the ids of the annual reports that, like all of their year, are unchanged since their tasks were begun."""
    reports = [document for document in documents if not document.kind_info.has_project]
    changed = _last_changes({report.year for report in reports}) if reports else {}
    return {
        report.pk
        for report in reports
        if (begun := tasks[report.pk].started_at)
        and all(at <= begun for at in (report.updated_at, *changed[report.year]))
    }


def _last_changes(years: Iterable[int]) -> dict[int, list[datetime]]:
    """Return when the reports of each year, and projects that an annual report prints, were changed last."""
    external = Project.objects.filter(kind=Project.Kind.EXTERNAL).aggregate(at=Max("updated_at"))["at"]
    changes = {year: [external] if external else [] for year in years}
    reports = Document.objects.filter(kind__in=[kind.key for kind in chapters.KINDS], year__in=years)
    for total in (
        reports.order_by().values("year").annotate(text=Max("updated_at"), head=Max("project__updated_at"))
    ):
        changes[total["year"]] += [total["text"], total["head"]]
    return changes
