"""The page of imports (for staff only: ``spms.middleware.StaffOnlyMiddleware``): validate a file, then import it.

Uploads go through the public API.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from documents.models import Task
from documents.tasks.imports.resources import RESOURCES
from documents.tasks.imports.task import KIND, ImportRequest, request_from

MAX_LISTED = 25


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Show the page."""
    subjects = [(name, subject.columns) for name, subject in RESOURCES.items()]
    return render(request, "imports/page.html", _live_context(request) | {"subjects": subjects})


@require_safe
def live_partial(request: HttpRequest) -> HttpResponse:
    """Return the live part of the page, which each import changes."""
    return render(request, "imports/_live.html", _live_context(request))


def _live_context(request: HttpRequest) -> dict[str, Any]:
    tasks = Task.objects.filter(kind=KIND).select_related("requested_by").order_by("-created_at")
    listed = [(task, request_from(task)) for task in tasks[:MAX_LISTED]]
    last, import_request = listed[0] if listed else (None, None)
    is_own = last is not None and last.requested_by_id == request.user.pk
    return {
        "listed": listed,
        "last": last,
        "import_request": import_request,
        "in_flight": last if last and is_own and not last.has_ended else None,
        "changes": _count_importable(last, import_request) if last and import_request else 0,
    }


def _count_importable(task: Task, import_request: ImportRequest) -> int:
    """Return the number of rows that importing the file of a clean dry run would change; 0 for other tasks."""
    facts = task.result or {}
    if not import_request.is_dry_run or task.status != Task.Status.SUCCEEDED or facts["error_count"]:
        return 0
    return int(facts.get("new", 0) + facts.get("changed", 0))
