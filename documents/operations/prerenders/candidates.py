"""The documents whose PDF may be made ahead of a request, in the order of interest."""

from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Value, When
from django.utils import timezone

from documents.content import chapters, editions
from documents.models import Document, Prerender, Task
from documents.tasks.pdf import annual_report, task as pdf_task

# An older change will not be followed by a request soon. This also bounds the first day of an old installation.
MAX_AGE = timedelta(days=1)
MAX_RANKED = 50
# One that gave way is begun again after a pause, so often at most.
MAX_ATTEMPTS, PAUSE = 3, timedelta(seconds=20)
MAX_PAGES, MAX_CHARACTERS = 50, 150_000


def ranked() -> Iterator[Document]:
    """Yield the documents that were changed and then left alone, those of most interest first.

    First come those in review or approval, then those with a PDF that somebody asked for; among equals the latest
    change. Only the MAX_RANKED latest changes are compared.
    """
    latest = _changed().annotate(interest=_interest()).order_by("-updated_at")[:MAX_RANKED]
    for pk, _ in sorted(latest.values_list("pk", "interest"), key=lambda pair: -pair[1]):
        yield from chapters.prefetch_for_print(Document.objects.filter(pk=pk))


def is_too_long(document: Document) -> bool:
    """Return True for a document that takes many seconds, by its last PDF or else by its text."""
    if annual_report.has_parts(document, editions.DEFAULT):
        return True
    pages = _last_pages(document)
    if pages is not None:
        return pages > MAX_PAGES
    return sum(map(len, document.sections.values())) > MAX_CHARACTERS


def _changed() -> QuerySet[Document]:
    """Return the documents with a change of the right age whose version was not tried."""
    now, after = timezone.now(), timedelta(seconds=settings.SPMS_PRERENDER_AFTER or 0)
    same_version = Prerender.objects.filter(document=OuterRef("pk"), version=OuterRef("version"))
    again = Q(outcome=Prerender.Outcome.CANCELLED, attempts__lt=MAX_ATTEMPTS, changed_at__lt=now - PAUSE)
    return Document.objects.filter(
        ~Exists(same_version.exclude(again)), updated_at__range=(now - MAX_AGE, now - after), version__gt=1
    )


def _interest() -> Case:
    in_progress = (Document.Status.IN_REVIEW, Document.Status.IN_APPROVAL)
    pdfs = Task.objects.asked_for().filter(document=OuterRef("pk"), kind=pdf_task.KIND)
    return Case(
        When(status__in=in_progress, then=Value(2)), When(Exists(pdfs), then=Value(1)), default=Value(0)
    )


def _last_pages(document: Document) -> int | None:
    succeeded = Task.objects.filter(document=document, kind=pdf_task.KIND, status=Task.Status.SUCCEEDED)
    result = succeeded.order_by("-finished_at").values_list("result", flat=True).first()
    return int(result["pages"]) if result and "pages" in result else None
