"""Store the sample data. Existing rows are left as they are, so loading again changes nothing."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from html import unescape

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import transaction
from rest_framework.authtoken.models import Token

from documents.content.normalising import normalise_sections
from documents.models import (
    BusinessArea,
    Document,
    DocumentImage,
    Membership,
    Project,
    document_types,
)
from documents.samples.people import BUSINESS_AREAS, LOGINS, PEOPLE, Person
from documents.samples.pictures import catalogue
from documents.samples.projects import DocumentData, ProjectData, annual_reports, projects
from documents.tasks.images import attachments
from metrics import progress

PICTURE = re.compile(r'<img src="picture:([a-z0-9-]+)" alt="([^"]*)">')
# The document that the printed command renders: short, and written by the sample author.
EXAMPLE = {"project__tag": "SP-2026-012", "kind": document_types.PROGRESS_REPORT.key, "year": 2026}
MAINTAINER = next(person.username for person in PEOPLE if person.is_maintainer)

type Uploads = Callable[[str], bytes]


@dataclass(frozen=True, kw_only=True)
class Login:
    """A person who can log in, with their credentials."""

    person: Person
    token: str


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The number of stored rows by their plural name (empty if all existed), and how to log in."""

    created: dict[str, int]
    logins: tuple[Login, ...]
    example_id: int

    @property
    def maintainer_token(self) -> str:
        """The token of the maintainer."""
        return next(login.token for login in self.logins if login.person.is_maintainer)


def other_users() -> list[str]:
    """Return the names of the users that are not sample users, oldest first."""
    sample = {(person.username, person.email) for person in PEOPLE}
    names = User.objects.order_by("pk").values_list("username", "email")
    return [username for username, email in names if (username, email) not in sample]


def taken_names() -> list[str]:
    """Return the user names of the sample data that other users have here."""
    return sorted({person.username for person in PEOPLE}.intersection(other_users()))


def load(report: progress.Report = progress.ignore) -> Summary:
    """Store the missing sample data in one transaction."""
    all_projects = list(projects())
    created: Counter[str] = Counter()
    uploads = cache(catalogue.upload)
    with transaction.atomic():
        users = {person.username: _user(person, created) for person in PEOPLE}
        areas = {
            name: _area(name, users[leader], division, created)
            for name, (leader, division) in BUSINESS_AREAS.items()
        }
        for number, data in enumerate(all_projects, start=1):
            project = _project(data, areas[data.business_area], users, created)
            for document in data.documents:
                _document(project, document, uploads, created)
            report("projects", number, len(all_projects))
        for annual_report in annual_reports():
            _document(None, annual_report, uploads, created)
        return Summary(created=dict(created), logins=_logins(users), example_id=_example_id())


def _user(person: Person, created: Counter[str]) -> User:
    user, is_new = User.objects.get_or_create(
        username=person.username,
        defaults={
            "email": person.email,
            "first_name": person.first_name,
            "last_name": person.last_name,
            "is_staff": person.is_maintainer,
            "is_superuser": person.is_maintainer,
        },
    )
    if is_new:
        user.set_password(person.password if person.has_login else None)
        user.save(update_fields=["password"])
        created["users"] += 1
    return user


def _logins(users: dict[str, User]) -> tuple[Login, ...]:
    return tuple(
        Login(person=person, token=Token.objects.get_or_create(user=users[person.username])[0].key)
        for person in LOGINS
    )


def _area(name: str, leader: User, division: str, created: Counter[str]) -> BusinessArea:
    defaults = {"leader": leader, "division": division}
    area, is_new = BusinessArea.objects.get_or_create(name=name, defaults=defaults)
    created["business areas"] += is_new
    return area


def _project(data: ProjectData, area: BusinessArea, users: dict[str, User], created: Counter[str]) -> Project:
    defaults = {
        "title": data.title,
        "year": data.year,
        "kind": data.kind,
        "status": data.status,
        "business_area": area,
    }
    project, is_new = Project.objects.get_or_create(tag=data.tag, defaults=defaults)
    if is_new:
        created["projects"] += 1
        Membership.objects.bulk_create(
            Membership(project=project, user=users[member.username], role=member.role, position=position)
            for position, member in enumerate(data.members)
        )
    return project


def _document(project: Project | None, data: DocumentData, uploads: Uploads, created: Counter[str]) -> None:
    document, is_new = Document.objects.get_or_create(
        project=project,
        kind=data.kind,
        year=data.year,
        defaults={
            "status": data.status,
            "lead_approved": "lead" in data.approvals,
            "area_approved": "area" in data.approvals,
            "directorate_approved": "directorate" in data.approvals,
        },
    )
    if is_new:
        document.record_creation(MAINTAINER)
        created["documents"] += 1
        created["images"] += _fill(document, data, uploads)


def _fill(document: Document, data: DocumentData, uploads: Uploads) -> int:
    """Attach a new document's pictures, write its sections, and return the number of pictures."""
    pictures: dict[str, DocumentImage] = {}

    def attached(name: str, caption: str) -> DocumentImage:
        if name not in pictures:
            upload = ContentFile(uploads(name), name=f"{name}.tiff")
            pictures[name] = attachments.attach(document, upload, caption=caption)
        return pictures[name]

    def address(match: re.Match[str]) -> str:
        return f'<img src="{attached(match[1], unescape(match[2])).url}" alt="{match[2]}">'

    sections = {key: PICTURE.sub(address, html) for key, html in data.sections.items()}
    document.sections = normalise_sections(document.kind_info, sections).sections
    document.cover_image = attached(data.cover, "Cover") if data.cover else None
    document.save(update_fields=["sections", "cover_image"])
    return len(pictures)


def _example_id() -> int:
    return Document.objects.values_list("pk", flat=True).get(**EXAMPLE)
