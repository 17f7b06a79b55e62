"""Lists of tasks for the maintainer, each read in few queries however many tasks exist."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import F, IntegerField, OuterRef, Q, Subquery
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce, Now
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from documents.models import Document, Task, TaskQuerySet

PAGE_SIZE = 50
MAX_MATCHES = 500
# All orders but that of time have no index: they apply to the newest tasks that match.
MAX_SORTED = 1000
NEWEST_FIRST = "-requested"
SORT_KEYS: dict[str, tuple[str, ...]] = {
    "requested": ("created_at",),
    "task": ("document__project__tag", "document__kind", "kind"),
    "state": ("status",),
    "mode": ("mode",),
    "person": ("requested_by__username",),
    "waited": ("waited",),
    "took": ("took",),
}


@dataclass(frozen=True, kw_only=True)
class TaskPage:
    """A page of tasks; ``further`` is the ``after`` of the next page, empty on the last one.

    ``is_cut`` is True if only the newest MAX_SORTED of the tasks that match were sorted.
    """

    tasks: Sequence[Task]
    further: str = ""
    is_cut: bool = False


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


def page(filters: Mapping[str, str], after: str, sort: str = NEWEST_FIRST) -> TaskPage:
    """Return the first tasks that match in an order: a key of SORT_KEYS, with a minus to begin with the highest.

    In the order of time, ``after`` is an ISO 8601 time where the page begins; another text is ignored.
    ``filters`` may hold ``status``, ``kind``, ``mode`` and ``q``, a text to search for.
    """
    matching = with_subjects().filter(
        **{name: filters[name] for name in ("status", "kind", "mode") if filters.get(name)}
    )
    if filters.get("q"):
        matching = matching.filter(_about(filters["q"]))
    return _by_time(matching, after, sort) if sort.endswith("requested") else _sorted(matching, sort)


def _by_time(matching: TaskQuerySet, after: str, sort: str) -> TaskPage:
    is_newest_first = sort.startswith("-")
    if (limit := _parse_time(after)) is not None:
        matching = matching.filter(**{f"created_at__{'lt' if is_newest_first else 'gt'}": limit})
    tasks = list(matching.order_by("-created_at" if is_newest_first else "created_at")[: PAGE_SIZE + 1])
    has_further = len(tasks) > PAGE_SIZE
    return TaskPage(
        tasks=tasks[:PAGE_SIZE], further=tasks[PAGE_SIZE - 1].created_at.isoformat() if has_further else ""
    )


def _sorted(matching: TaskQuerySet, sort: str) -> TaskPage:
    """Return the first of the newest tasks that match, those without a value last."""
    newest = list(matching.order_by("-created_at").values_list("pk", flat=True)[: MAX_SORTED + 1])
    keys = [F(name) for name in SORT_KEYS[sort.removeprefix("-")]]
    order = [key.desc(nulls_last=True) if sort.startswith("-") else key.asc(nulls_last=True) for key in keys]
    tasks = (
        with_subjects()
        .filter(pk__in=newest[:MAX_SORTED])
        .annotate(
            waited=Coalesce(F("started_at"), F("finished_at"), Now()) - F("created_at"),
            took=F("finished_at") - F("started_at"),
        )
    )
    return TaskPage(
        tasks=list(tasks.order_by(*order, "-created_at")[:PAGE_SIZE]), is_cut=len(newest) > MAX_SORTED
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
