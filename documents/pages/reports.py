"""The page of scheduled reports, for staff; changes go through the API."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from documents.content import editions
from documents.models import Document, ScheduledReport, document_types
from documents.tasks.exports import spec

PRESETS = (
    ("0 7 * * MON", "Mondays at 7:00"),
    ("0 7 * * MON-FRI", "weekdays at 7:00"),
    ("0 7 1 * *", "the first of each month at 7:00"),
    ("0 7 L * *", "the last day of each month at 7:00"),
)


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Show the page."""
    choices = {
        "formats": [(name, export_format.title) for name, export_format in spec.FORMATS.items()],
        "whats": spec.RESOURCES,
        "kinds": document_types.choices(),
        "annual_reports": Document.objects.filter(kind=document_types.ANNUAL_REPORT.key).defer("sections"),
        "divisions": editions.divisions(),
        "presets": PRESETS,
        "missed": ScheduledReport.Missed.choices,
    }
    return render(request, "reports/page.html", _listed() | choices)


@require_safe
def reports_partial(request: HttpRequest) -> HttpResponse:
    """Return the list of reports, which each change reloads."""
    return render(request, "reports/_reports.html", _listed())


def _listed() -> dict[str, object]:
    return {"reports": ScheduledReport.objects.select_related("owner", "document__project", "last_task")}
