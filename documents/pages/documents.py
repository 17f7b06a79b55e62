"""The page of a document, for all who may read it. Changes go through the public API."""

from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from documents.content.normalising import find_missing_images
from documents.models import Document, DocumentImage, Task
from documents.tasks.pdf import task as pdf_task

MAX_VERSIONS = 20


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
    return {"images": images, "image_task": waiting[-1].task if waiting else None}


def _context(request: HttpRequest, pk: int) -> dict[str, Any]:
    """Return the context of a document's page. Raises Http404."""
    visible = Document.objects.for_user(cast("User", request.user)).select_related("project__business_area")
    document = get_object_or_404(visible, pk=pk)
    tasks = Task.objects.filter(document=document, kind=pdf_task.KIND)
    versions = list(tasks.filter(status=Task.Status.SUCCEEDED).order_by("-finished_at")[:MAX_VERSIONS])
    newest = tasks.order_by("-created_at").first()
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
