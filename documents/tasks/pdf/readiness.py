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
    """The state of a document's PDF; ``newest`` is its last task and ``made`` the last one with a PDF, if any."""

    state: State
    newest: Task | None = None
    made: Task | None = None


def read(documents: Sequence[Document]) -> dict[int, Readiness]:
    """Return how the PDFs of documents stand, by the document's id; texts need not be loaded.

    A PDF is ready if its fingerprint is that of its document now. For an annual report, whose fingerprint costs a
    query for every few chapters, it is ready if nothing of its year was changed since it was begun.
    """
    tasks = _tasks([document.pk for document in documents])
    made = {pk: pair[1] for pk, pair in tasks.items() if pair[1]}
    same_version = [document for document in documents if _has_version(document, made.get(document.pk))]
    ready = {*_with_equal_fingerprint(same_version, made), *_with_quiet_year(same_version, made)}
    return {
        document.pk: _readiness(*tasks.get(document.pk, (None, None)), is_ready=document.pk in ready)
        for document in documents
    }


def _readiness(newest: Task | None, made: Task | None, *, is_ready: bool) -> Readiness:
    return Readiness(state=_state(newest, made, is_ready=is_ready), newest=newest, made=made)


def _state(newest: Task | None, made: Task | None, *, is_ready: bool) -> State:
    if newest and not newest.has_ended:
        return State.MAKING
    if is_ready:
        return State.READY
    if newest and newest.status == Task.Status.FAILED:
        return State.FAILED
    return State.OLDER if made else State.NONE


def _tasks(document_ids: Sequence[int]) -> dict[int, tuple[Task | None, Task | None]]:
    """Return the last task and the last succeeded one of each document, of the usual edition."""
    usual = Task.objects.filter(document=OuterRef("pk"), kind=pdf_task.KIND, arguments={})
    ids = Document.objects.filter(pk__in=document_ids).values_list(
        "pk", _last_id(usual), _last_id(usual.filter(status=Task.Status.SUCCEEDED))
    )
    rows = list(ids)
    tasks = Task.objects.in_bulk({pk for _, *pair in rows for pk in pair if pk})
    return {document_id: (tasks.get(newest), tasks.get(made)) for document_id, newest, made in rows}


def _last_id(tasks: TaskQuerySet) -> Subquery:
    return Subquery(tasks.order_by("-created_at").values("pk")[:1])


def _has_version(document: Document, made: Task | None) -> bool:
    return made is not None and (made.result or {}).get("version") == document.version


def _with_equal_fingerprint(documents: Iterable[Document], made: Mapping[int, Task]) -> set[int]:
    """Return the ids of the projects' documents whose PDFs show them as they are now."""
    ids = [document.pk for document in documents if document.kind_info.has_project]
    texts = chapters.prefetch_for_print(Document.objects.filter(pk__in=ids))
    return {
        document.pk
        for document in texts.iterator(chunk_size=DOCUMENTS_AT_A_TIME)
        if pdf_task.fingerprint(document) == made[document.pk].fingerprint
    }


def _with_quiet_year(documents: Iterable[Document], made: Mapping[int, Task]) -> set[int]:
    """Return the ids of the annual reports of whose year nothing was changed since their PDFs were begun."""
    reports = [document for document in documents if not document.kind_info.has_project]
    changed = _last_changes({report.year for report in reports}) if reports else {}
    return {
        report.pk
        for report in reports
        if (begun := made[report.pk].started_at) and all(at <= begun for at in changed[report.year])
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
