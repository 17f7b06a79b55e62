"""The page of exports, for everybody who is signed in. What changes goes through the public API."""

from dataclasses import dataclass
from typing import Any, cast

from django import forms
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from documents import kinds
from documents.exports import wanted, work
from documents.exports.wanted import Export
from documents.models import BusinessArea, Document, Project, Task

MOST_EXPORTS = 20
TABLES = [(name, one.title) for name, one in wanted.FORMATS.items() if name != wanted.ZIP]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One of somebody's exports."""

    task: Task
    export: Export


class Filters(forms.Form):
    """The fields of a form that begins an export; a filter is a member of ``filters`` for the API."""

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

    def __init__(self, model: type[Project] | type[Document], formats: list[tuple[str, str]]) -> None:
        super().__init__(auto_id=False)
        kind_choices = kinds.choices() if model is Document else Project.Kind.choices
        choices: dict[str, list[Any]] = {
            "format": formats,
            "kind": [("", "any kind"), *kind_choices],
            "status": [("", "any state"), *model.Status.choices],
        }
        for name, values in choices.items():
            cast("forms.ChoiceField", self.fields[name]).choices = values

    def add_prefix(self, field_name: str) -> str:
        """Return the name that the API knows a field by."""
        return field_name if field_name == "format" else f"filters.{field_name}"


@require_safe
@login_required
def exports(request: HttpRequest) -> HttpResponse:
    """Show the forms, and what came of them."""
    of_documents = [*TABLES, (wanted.ZIP, wanted.FORMATS[wanted.ZIP].title)]
    page = {"projects": Filters(Project, TABLES), "documents": Filters(Document, of_documents)}
    return render(request, "exports/page.html", page | _of(request))


@require_safe
@login_required
def made(request: HttpRequest) -> HttpResponse:
    """Return the part of the page that a new export changes."""
    return render(request, "exports/made.html", _of(request))


def _of(request: HttpRequest) -> dict[str, Any]:
    """Return somebody's newest exports, and what is in flight of them by what it is of."""
    own = Task.objects.filter(kind=work.KIND, requested_by=cast("User", request.user)).order_by("-created_at")
    rows = [Row(task=task, export=wanted.of(task.arguments)) for task in own[:MOST_EXPORTS]]
    in_flight = {row.export.what: row.task for row in reversed(rows) if not row.task.has_ended}
    return {"rows": rows, "in_flight": in_flight}
