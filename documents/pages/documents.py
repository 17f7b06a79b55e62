"""The page of a document, for all who may read it. Changes go through the public API."""

from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.cache import get_conditional_response
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe

from documents.content import editions, places
from documents.exceptions import SpmsError
from documents.models import Document, DocumentImage, Task
from documents.pages import document_warnings
from documents.tasks.pdf import first_page, task as pdf_task

MAX_VERSIONS = 20
MAX_CHANGES = 200
MAX_PARAMETER_CHARACTERS = 300
# What people call the members of the API that a change names; the sections of a document have titles of their own.
CHANGED_TITLES = {"cover_image": "cover picture", "approvals": "approvals"}


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
    return render(request, "documents/_images.html", _images(_visible(request, pk)))


@require_safe
@login_required
def picture(request: HttpRequest, pk: int, task_id: str) -> HttpResponse:
    """Send the picture of the first page of a PDF, or 304 to a client that has it."""
    pdfs = Task.objects.filter(
        document=_visible(request, pk), kind=pdf_task.KIND, status=Task.Status.SUCCEEDED
    )
    task = get_object_or_404(pdfs, pk=task_id)
    etag = f'"{task.digest}-page"'
    response = get_conditional_response(request, etag=etag) or _picture_response(task)
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "private, no-cache"
    return response


@require_safe
@login_required
def section_text(request: HttpRequest, pk: int, section: str) -> HttpResponse:
    """Show the text of a section, with the place marked that a warning is about."""
    document = _visible(request, pk)
    titles = {known.key: known.title for known in document.kind_info.sections}
    if section not in titles:
        raise Http404
    rule, words = (request.GET.get(name, "")[:MAX_PARAMETER_CHARACTERS] for name in ("rule", "words"))
    text, is_found = places.mark(document.sections.get(section, ""), rule=rule, words=words)
    context = {
        "document": document,
        "title": titles[section],
        "text": mark_safe(text),  # noqa: S308  # nosec B308 B703 (sanitised when it was stored)
        "is_missing": bool(rule or words) and not is_found,
    }
    return render(request, "documents/text.html", context)


def _visible(request: HttpRequest, pk: int) -> Document:
    """Return a document that the user may read. Raises Http404."""
    visible = Document.objects.for_user(cast("User", request.user)).select_related("project__business_area")
    return get_object_or_404(visible, pk=pk)


def _picture_response(task: Task) -> HttpResponse:
    """Return the picture of a PDF's first page. Raises Http404 if it cannot be drawn."""
    try:
        content = first_page.read(task)
    except SpmsError as error:
        return HttpResponse(str(error), status=error.status, content_type="text/plain")
    if content is None:
        raise Http404
    return HttpResponse(content, content_type=first_page.MEDIA_TYPE)


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


def _context(request: HttpRequest, pk: int) -> dict[str, Any]:
    """Return the context of a document's page. Raises Http404."""
    document = _visible(request, pk)
    tasks = Task.objects.filter(document=document, kind=pdf_task.KIND)
    versions = list(tasks.filter(status=Task.Status.SUCCEEDED).order_by("-finished_at")[:MAX_VERSIONS])
    newest = tasks.asked_for().order_by("-created_at").first()
    current = pdf_task.current_task(document)
    return {
        "document": document,
        "current": current,
        "shown": current or (versions[0] if versions else None),
        "versions": versions,
        "changed": _changed_since(document, versions[0]) if versions and not current else [],
        "text_warnings": document_warnings.of_text(document),
        "pdf_warnings": document_warnings.of_pdf(document, current),
        "ended_without_pdf": newest if newest and _ended_without_pdf(newest, document) else None,
        "in_flight": newest if newest and not newest.has_ended else None,
        "history": document.changes.of_approvals()[:MAX_VERSIONS],
        "approvals": (
            ("Project lead", document.lead_approved),
            ("Business area leader", document.area_approved),
            ("Directorate", document.directorate_approved),
        ),
    }


def _ended_without_pdf(task: Task, document: Document) -> bool:
    """Return True if a task made no PDF of the document as it is now."""
    if task.status not in {Task.Status.FAILED, Task.Status.CANCELLED}:
        return False
    return task.fingerprint == pdf_task.fingerprint(document, editions.from_arguments(task.arguments))


def _changed_since(document: Document, made: Task) -> list[str]:
    """Return what of a document was changed since a PDF: titles of sections in the order of the pages, then others."""
    version = (made.result or {}).get("version", document.version)
    changes = document.changes.filter(version__gt=version).values_list("changed", flat=True)[:MAX_CHANGES]
    names = {name for changed in changes for name in changed}
    sections = [s.title for s in document.kind_info.sections if f"sections.{s.key}" in names]
    heads = {name.partition(".")[0] for name in names} - {"sections"}
    return sections + sorted(CHANGED_TITLES.get(head, head.replace("_", " ")) for head in heads)
