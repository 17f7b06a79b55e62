"""“My documents”: a list with the state of each PDF. Changes go through the public API."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast

from django import forms
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from documents.models import Document, document_types
from documents.tasks.pdf import readiness
from documents.tasks.pdf.readiness import Readiness

PER_PAGE = 25
BY_PROJECT = "project"


class FilterForm(forms.Form):
    """The filters and the order of the list."""

    q = forms.CharField(max_length=100, required=False)
    kind = forms.ChoiceField(choices=[("", "any kind"), *document_types.choices()], required=False)
    year = forms.IntegerField(min_value=1980, max_value=2100, required=False)
    group = forms.ChoiceField(
        choices=[("", "last changed first"), (BY_PROJECT, "by project")], required=False
    )


@dataclass(frozen=True, kw_only=True)
class DocumentRow:
    """A document in the list, and how its PDF stands."""

    document: Document
    pdf: Readiness


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """List the user's documents."""
    return render(request, "documents/home.html", _context(request))


@require_safe
@login_required
def list_partial(request: HttpRequest) -> HttpResponse:
    """Return the list alone, which a new PDF changes."""
    return render(request, "documents/_list.html", _context(request))


def _context(request: HttpRequest) -> dict[str, Any]:
    form = FilterForm(request.GET)
    filters = form.cleaned_data if form.is_valid() else {}
    page = Paginator(_documents(request, filters), PER_PAGE).get_page(request.GET.get("page"))
    query = request.GET.copy()
    query.pop("page", None)
    rows = _rows(page.object_list)
    is_grouped = filters.get("group") == BY_PROJECT
    return {
        "form": form,
        "page": page,
        "query": query.urlencode(),
        "groups": _by_project(rows) if is_grouped else [("", rows)],
        "is_making": any(row.pdf.state == readiness.State.MAKING for row in rows),
    }


def _documents(request: HttpRequest, filters: dict[str, Any]) -> QuerySet[Document]:
    documents = Document.objects.for_user(cast("User", request.user)).select_related("project")
    documents = documents.filter(**{name: filters[name] for name in ("kind", "year") if filters.get(name)})
    if text := filters.get("q"):
        documents = documents.filter(Q(project__tag__icontains=text) | Q(project__title__icontains=text))
    order = [F("project__tag").asc(nulls_last=True)] if filters.get("group") == BY_PROJECT else []
    return documents.defer("sections").order_by(*order, "-updated_at", "-pk")


def _rows(documents: Iterable[Document]) -> list[DocumentRow]:
    listed = list(documents)
    pdfs = readiness.read(listed)
    return [DocumentRow(document=document, pdf=pdfs[document.pk]) for document in listed]


def _by_project(rows: Iterable[DocumentRow]) -> list[tuple[str, list[DocumentRow]]]:
    """Return neighbouring rows of a project under its tag and title."""
    grouped = groupby(rows, key=lambda row: str(row.document.project or "The whole agency"))
    return [(title, list(members)) for title, members in grouped]
