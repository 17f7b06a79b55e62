"""The reports and projects that an annual report prints, read a few at a time."""

from collections.abc import Iterator
from itertools import batched

from django.db.models import Prefetch, QuerySet

from documents.content import editions
from documents.content.editions import Edition
from documents.models import BusinessArea, Document, Membership, Project, document_types

BATCH = 5
KINDS = (document_types.PROGRESS_REPORT, document_types.STUDENT_REPORT)
LISTED_STATUSES = (Project.Status.ACTIVE, Project.Status.UPDATE, Project.Status.CLOSURE)


def count(document: Document, edition: Edition) -> int:
    """Return the number of chapters of an annual report."""
    return sum(_reports(document, kind, edition).count() for kind in KINDS)


def iter_reports(
    document: Document, kind: document_types.DocumentType, edition: Edition
) -> Iterator[Document]:
    """Yield the reports that become chapters, in the order of the pages, with everything that they print."""
    # The ids are read first: sorting whole rows would load all their texts into the database's memory.
    for ids in batched(_reports(document, kind, edition).values_list("pk", flat=True), BATCH):
        reports = prefetch_for_print(Document.objects.filter(pk__in=ids)).in_bulk()
        yield from (reports[pk] for pk in ids if pk in reports)


def iter_report_titles(
    document: Document, kind: document_types.DocumentType, edition: Edition
) -> Iterator[Document]:
    """Yield the same reports without their texts."""
    reports = _reports(document, kind, edition).select_related("project__business_area").defer("sections")
    return reports.iterator(chunk_size=50)


def external_projects(document: Document, edition: Edition) -> QuerySet[Project]:
    """Return the external partnerships that an annual report lists."""
    projects = Project.objects.filter(
        kind=Project.Kind.EXTERNAL, status__in=LISTED_STATUSES, year__lte=document.year
    )
    if edition.division:
        projects = projects.filter(business_area__division=edition.division)
    members = Prefetch("memberships", queryset=Membership.objects.select_related("user"))
    return projects.select_related("business_area__leader").prefetch_related(members).order_by("tag")


def prefetch_for_print(documents: QuerySet[Document]) -> QuerySet[Document]:
    """Return the documents with everything that a cover or a chapter prints, in as few queries as possible."""
    members = Prefetch("project__memberships", queryset=Membership.objects.select_related("user"))
    return documents.select_related("project__business_area__leader", "cover_image").prefetch_related(
        members, "images"
    )


def project_of(report: Document) -> Project:
    """Return the project of a report. Raises ValueError for an annual report."""
    if report.project is None:
        raise ValueError(f"report {report.pk} has no project")
    return report.project


def area_of(report: Document) -> BusinessArea:
    """Return the business area under which a report is printed."""
    return project_of(report).business_area


def _reports(document: Document, kind: document_types.DocumentType, edition: Edition) -> QuerySet[Document]:
    """Return the reports of the annual report's year that this edition prints, by business area."""
    reports = Document.objects.filter(kind=kind.key, year=document.year)
    if edition.reports == editions.APPROVED:
        reports = reports.filter(status=Document.Status.APPROVED)
    if edition.division:
        reports = reports.filter(project__business_area__division=edition.division)
    return reports.order_by("project__business_area__name", "project__tag")
