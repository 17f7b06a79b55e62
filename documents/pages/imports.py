"""The page of imports (for staff only: ``spms.middleware.StaffOnlyMiddleware``): validate a file, then import it.

Uploads go through the public API.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from documents.models import Task
from documents.tasks.imports.resources import RESOURCES
from documents.tasks.imports.task import KIND, request_from

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
    in_flight = last and not last.has_ended and last.requested_by_id == request.user.pk
    facts = (last and last.result) or {}
    changes = facts.get("new", 0) + facts.get("changed", 0)
    is_clean = (
        last
        and import_request
        and import_request.is_dry_run
        and last.status == Task.Status.SUCCEEDED
        and not facts["error_count"]
    )
    return {
        "listed": listed,
        "last": last,
        "import_request": import_request,
        "in_flight": last if in_flight else None,
        "changes": changes if is_clean else 0,
    }
