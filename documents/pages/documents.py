"""The pages of documents, for all users: a list and one document. Changes go through the public API."""

from typing import Any, cast

from django import forms
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from documents.content.normalising import find_missing_images
from documents.models import Document, DocumentImage, Task, document_types
from documents.tasks.pdf import task as pdf_task

PER_PAGE = 25
MAX_VERSIONS = 20


class FilterForm(forms.Form):
    """The filters of the list of documents."""

    q = forms.CharField(max_length=100, required=False)
    kind = forms.ChoiceField(choices=[("", "any kind"), *document_types.choices()], required=False)
    year = forms.IntegerField(min_value=1980, max_value=2100, required=False)


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """List the user's documents."""
    form = FilterForm(request.GET)
    filters = form.cleaned_data if form.is_valid() else {}
    page = Paginator(_documents(request, filters), PER_PAGE).get_page(request.GET.get("page"))
    query = request.GET.copy()
    query.pop("page", None)
    return render(request, "documents/home.html", {"form": form, "page": page, "query": query.urlencode()})


@require_safe
@login_required
def document(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one document."""
    context = _context(request, pk)
    return render(request, "documents/document.html", context | _images(context["document"]))


@require_safe
@login_required
def versions_partial(request: HttpRequest, pk: int) -> HttpResponse:
    """Return the part of a document's page that a new PDF changes."""
    return render(request, "documents/_versions.html", _context(request, pk))


@require_safe
@login_required
def images_partial(request: HttpRequest, pk: int) -> HttpResponse:
    """Return the part of a document's page that a new image changes."""
    visible = Document.objects.for_user(cast("User", request.user))
    return render(request, "documents/_images.html", _images(get_object_or_404(visible, pk=pk)))


def _images(document: Document) -> dict[str, Any]:
    """Return the images of a document, and the task of the newest one that is not ready."""
    images = list(document.images.select_related("task"))
    waiting = [image for image in images if image.state == DocumentImage.State.WAITING]
    undescribed = [
        image
        for image in images
        if image.state == DocumentImage.State.READY
        and not image.alternative_text
        and image.pk != document.cover_image_id  # a decoration
    ]
    return {
        "images": images,
        "undescribed": undescribed,
        "image_task": waiting[-1].task if waiting else None,
    }


def _documents(request: HttpRequest, filters: dict[str, Any]) -> QuerySet[Document]:
    pdfs = Task.objects.filter(document=OuterRef("pk"), kind=pdf_task.KIND, status=Task.Status.SUCCEEDED)
    documents = Document.objects.for_user(cast("User", request.user)).select_related("project")
    documents = documents.filter(**{name: filters[name] for name in ("kind", "year") if filters.get(name)})
    if text := filters.get("q"):
        documents = documents.filter(Q(project__tag__icontains=text) | Q(project__title__icontains=text))
    return documents.annotate(has_pdf=Exists(pdfs)).defer("sections").order_by("-updated_at", "-pk")


def _context(request: HttpRequest, pk: int) -> dict[str, Any]:
    """Return the context of a document's page. Raises Http404."""
    visible = Document.objects.for_user(cast("User", request.user)).select_related("project__business_area")
    document = get_object_or_404(visible, pk=pk)
    tasks = Task.objects.filter(document=document, kind=pdf_task.KIND)
    versions = list(tasks.filter(status=Task.Status.SUCCEEDED).order_by("-finished_at")[:MAX_VERSIONS])
    newest = tasks.asked_for().order_by("-created_at").first()
    return {
        "document": document,
        "current": pdf_task.current_task(document),
        "versions": versions,
        "text_warnings": find_missing_images(document.sections),
        "newest": newest,
        "in_flight": newest if newest and not newest.has_ended else None,
        "history": document.changes.of_approvals()[:MAX_VERSIONS],
        "approvals": (
            ("Project lead", document.lead_approved),
            ("Business area leader", document.area_approved),
            ("Directorate", document.directorate_approved),
        ),
    }
