"""The page of exports, for all users; changes go through the public API."""

from dataclasses import dataclass
from typing import Any, cast

from django import forms
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from documents.models import BusinessArea, Document, Project, Task, document_types
from documents.tasks.exports import spec, task as export_task
from documents.tasks.exports.spec import ExportSpec

MAX_EXPORTS = 20
FORMATS = [(name, export_format.title) for name, export_format in spec.FORMATS.items()]
TABLES = [(name, title) for name, title in FORMATS if name != spec.ZIP]


@dataclass(frozen=True, kw_only=True)
class ExportRow:
    """One of the user's exports."""

    task: Task
    export: ExportSpec


class FilterForm(forms.Form):
    """The fields of a form that begins an export of ``what``; ``task`` is such an export in flight, or None."""

    format = forms.ChoiceField()
    kind = forms.ChoiceField(required=False)
    status = forms.ChoiceField(required=False)
    year = forms.IntegerField(
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "maxlength": 4, "placeholder": "any year"}),
    )
    business_area = forms.ModelChoiceField(
        BusinessArea.objects.all(), required=False, empty_label="any business area"
    )

    def __init__(self, what: str, task: Task | None) -> None:
        super().__init__(auto_id=False)
        self.what, self.task = what, task
        is_of_documents = what == spec.DOCUMENTS
        statuses = Document.Status.choices if is_of_documents else Project.Status.choices
        choices: dict[str, list[Any]] = {
            "format": FORMATS if is_of_documents else TABLES,
            "kind": [
                ("", "any kind"),
                *(document_types.choices() if is_of_documents else Project.Kind.choices),
            ],
            "status": [("", "any state"), *statuses],
        }
        for name, values in choices.items():
            cast("forms.ChoiceField", self.fields[name]).choices = values

    def add_prefix(self, field_name: str) -> str:
        """Return the name of a field in the API."""
        return field_name if field_name == "format" else f"filters.{field_name}"


@require_safe
@login_required
def exports(request: HttpRequest) -> HttpResponse:
    """Show the forms and the user's newest exports."""
    rows = _rows(request)
    in_flight = {row.export.what: row.task for row in reversed(rows) if not row.task.has_ended}
    forms_by_what = [FilterForm(what, in_flight.get(what)) for what in spec.RESOURCES]
    return render(request, "exports/page.html", {"forms": forms_by_what, "rows": rows})


@require_safe
@login_required
def exports_partial(request: HttpRequest) -> HttpResponse:
    """Return the part of the page that a new export changes."""
    return render(request, "exports/_exports.html", {"rows": _rows(request)})


def _rows(request: HttpRequest) -> list[ExportRow]:
    """Return the user's newest exports."""
    user = cast("User", request.user)
    tasks = Task.objects.for_user(user).filter(kind=export_task.KIND, requested_by=user)
    newest = tasks.order_by("-created_at")[:MAX_EXPORTS]
    return [ExportRow(task=task, export=spec.from_arguments(task.arguments)) for task in newest]
