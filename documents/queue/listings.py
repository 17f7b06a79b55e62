"""Lists of tasks for the maintainer, each read in few queries however many tasks exist."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import IntegerField, OuterRef, Q, Subquery
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from documents.models import Document, Task, TaskQuerySet

PAGE_SIZE = 50
MAX_MATCHES = 500


@dataclass(frozen=True, kw_only=True)
class TaskPage:
    """A page of tasks, newest first; ``older`` is the ``before`` of the next page, empty on the last one."""

    tasks: Sequence[Task]
    older: str


def with_subjects() -> TaskQuerySet:
    """Return the tasks with everything that a table row shows."""
    return Task.objects.select_related("document__project", "requested_by").defer(
        "document__sections", "result"
    )


def longest_running() -> TaskQuerySet:
    """Return the running tasks, longest first; ``last_pages`` is the length of the document's last PDF, or None."""
    same = Task.objects.filter(
        document=OuterRef("document"), kind=OuterRef("kind"), status=Task.Status.SUCCEEDED
    )
    pages = Cast(KeyTextTransform("pages", "result"), IntegerField())
    last_pages = Subquery(same.order_by("-finished_at").values(pages=pages)[:1])
    return with_subjects().running().annotate(last_pages=last_pages).order_by("started_at")[:PAGE_SIZE]


def by_worker() -> dict[str, Task]:
    """Return the tasks that workers are running, by the worker's name."""
    return {task.worker: task for task in with_subjects().running().filter(mode=Task.Mode.QUEUE)[:PAGE_SIZE]}


def last_scheduled(name: str) -> Task | None:
    """Return the last task that a schedule began."""
    return Task.objects.filter(kind=name, fingerprint=name).order_by("-created_at").first()


def page(filters: Mapping[str, str], before: str) -> TaskPage:
    """Return the newest tasks that match, or those created before an ISO 8601 time; another text is ignored.

    ``filters`` may hold ``status``, ``kind``, ``mode`` and ``q``, a text to search for.
    """
    matching = with_subjects().filter(
        **{name: filters[name] for name in ("status", "kind", "mode") if filters.get(name)}
    )
    if filters.get("q"):
        matching = matching.filter(_about(filters["q"]))
    if (limit := _parse_time(before)) is not None:
        matching = matching.filter(created_at__lt=limit)
    tasks = list(matching.order_by("-created_at")[: PAGE_SIZE + 1])
    has_older = len(tasks) > PAGE_SIZE
    return TaskPage(
        tasks=tasks[:PAGE_SIZE], older=tasks[PAGE_SIZE - 1].created_at.isoformat() if has_older else ""
    )


def _about(text: str) -> Q:
    """Return the condition for the task with this id, or the tasks of such documents and users."""
    try:
        return Q(pk=uuid.UUID(text))
    except ValueError:
        pass
    in_project = Q(project__tag__icontains=text) | Q(project__title__icontains=text)
    documents = Document.objects.filter(in_project | Q(kind__icontains=text.replace(" ", "_")))
    users = User.objects.filter(Q(username__icontains=text) | Q(last_name__icontains=text))
    # Two short lists of ids are faster than joins over all tasks.
    return Q(document__in=list(documents.values_list("pk", flat=True)[:MAX_MATCHES])) | Q(
        requested_by__in=list(users.values_list("pk", flat=True)[:MAX_MATCHES])
    )


def _parse_time(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return moment if moment and timezone.is_aware(moment) else None
