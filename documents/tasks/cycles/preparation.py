"""Create the reports and letters of a new cycle; repeating it creates only what is missing."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone

from documents.models import Document, Membership, Project, document_types
from documents.models.cycles import Cycle, Letter
from documents.queue.registry import ReportProgress
from documents.tasks.cycles import letter_template

ACTIVE = (Project.Status.ACTIVE, Project.Status.UPDATE)
REPORTS = (document_types.PROGRESS_REPORT.key, document_types.STUDENT_REPORT.key)
BATCH = 500
NO_ADDRESS = "This person has no e-mail address."


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What opening a cycle would create.

    ``example`` is the letter to the first person, or None; ``seconds`` is how long sending takes at the limit.
    """

    reports: int
    letters: int
    without_address: int
    seconds: float
    example: letter_template.LetterText | None


def preview(cycle: Cycle) -> Preview:
    """Return what opening a cycle would create, without creating it."""
    first = recipients().order_by("pk").first()
    letters = recipients().exclude(email="").count()
    return Preview(
        reports=projects_without_report(cycle.year).count(),
        letters=letters,
        without_address=recipients().filter(email="").count(),
        seconds=estimated_send_seconds(letters),
        example=letter_template.render(cycle, first, projects_by_recipient([first])[first.pk])
        if first
        else None,
    )


def estimated_send_seconds(letters: int) -> float:
    """Return how long sending takes at the limit of ``SPMS_MAILS_PER_MINUTE``, or at a usual rate without one."""
    return letters * 60 / settings.SPMS_MAILS_PER_MINUTE if settings.SPMS_MAILS_PER_MINUTE else letters * 0.02


def projects_without_report(year: int) -> QuerySet[Project]:
    """Return the active projects that have no report of this year."""
    reports = Document.objects.filter(project=OuterRef("pk"), year=year, kind__in=REPORTS)
    return Project.objects.filter(~Exists(reports), status__in=ACTIVE)


def recipients() -> QuerySet[User]:
    """Return the members of active projects whose accounts are active."""
    membership = Membership.objects.filter(user=OuterRef("pk"), project__status__in=ACTIVE)
    return User.objects.filter(Exists(membership), is_active=True)


def projects_by_recipient(persons: list[User]) -> defaultdict[int, list[str]]:
    """Return tag and title of the active projects of each of these people, by the person's id."""
    memberships = Membership.objects.filter(user__in=persons, project__status__in=ACTIVE).order_by(
        "project__tag"
    )
    listed: defaultdict[int, list[str]] = defaultdict(list)
    for person, tag, title in memberships.values_list("user_id", "project__tag", "project__title"):
        listed[person].append(f"{tag} {title}")
    return listed


def prepare(cycle: Cycle, report: ReportProgress) -> None:
    """Create the missing reports and letters in batches; do nothing if the cycle is prepared.

    Raises LeaseLost from ``report``.
    """
    if cycle.prepared_at is not None:
        return
    report_count = 0
    for projects in _batches(projects_without_report(cycle.year)):
        report_count += _add_reports(cycle, projects)
        report("reports", report_count)
    report_count = 0
    for persons in _batches(recipients()):
        report_count += _add_letters(cycle, persons)
        report("letters", report_count)
    cycle.prepared_at = timezone.now()
    cycle.save(update_fields=["prepared_at"])


def _batches[M: models.Model](rows: QuerySet[M]) -> Iterator[list[M]]:
    """Yield the rows in batches, each queried after the one before was processed."""
    last = 0
    while batch := list(rows.filter(pk__gt=last).order_by("pk")[:BATCH]):
        yield batch
        last = batch[-1].pk


def _add_reports(cycle: Cycle, projects: list[Project]) -> int:
    reports = [Document(project=project, kind=_report_of(project), year=cycle.year) for project in projects]
    with transaction.atomic():
        Document.objects.bulk_create(reports, ignore_conflicts=True)
        Cycle.objects.filter(pk=cycle.pk).update(reports=F("reports") + len(reports))
    return len(reports)


def _report_of(project: Project) -> str:
    is_student = project.kind == Project.Kind.STUDENT
    return (document_types.STUDENT_REPORT if is_student else document_types.PROGRESS_REPORT).key


def _add_letters(cycle: Cycle, persons: list[User]) -> int:
    projects = projects_by_recipient(persons)
    letters = [_letter(cycle, person, projects[person.pk]) for person in persons]
    Letter.objects.bulk_create(letters, ignore_conflicts=True)
    return len(letters)


def _letter(cycle: Cycle, person: User, projects: list[str]) -> Letter:
    host = urlsplit(settings.SPMS_URL).hostname or "localhost"
    letter = Letter(cycle=cycle, person=person, address=person.email, projects=projects)
    letter.message_id = f"<spms-cycle-{cycle.year}-{person.pk}@{host}>"
    if not person.email:
        letter.state, letter.error = Letter.State.FAILED, NO_ADDRESS
    return letter
