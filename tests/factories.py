"""Makers of test data: each returns a stored row with sensible defaults."""

import datetime
import io
import itertools

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from PIL import Image

from documents.models import (
    BusinessArea,
    Cycle,
    Document,
    DocumentImage,
    Letter,
    Membership,
    Project,
    document_types,
)
from documents.tasks.cycles import letter_template
from documents.tasks.images import attachments

_numbers = itertools.count(1)


def user(username: str = "", **values) -> User:
    name = username or f"user{next(_numbers)}"
    values = {"first_name": name.title(), "last_name": "Example", "email": f"{name}@example.org"} | values
    return User.objects.create_user(name, password="a sample password", **values)


def staff(username: str = "maintainer") -> User:
    return user(username, is_staff=True, is_superuser=True)


def project(*members: User, **values) -> Project:
    number = next(_numbers)
    leader = values.pop("area_leader", None)
    area = values.pop("business_area", None) or BusinessArea.objects.create(
        name=f"Marine Science {number}", leader=leader
    )
    tag = f"SP-2026-{number % 1000:03d}"  # no test alone makes a thousand
    defaults = {"title": f"Seagrass of bay {number}", "tag": tag, "year": 2026}
    created = Project.objects.create(business_area=area, **(defaults | values))
    for position, member in enumerate(members):
        role = Membership.Role.LEAD if position == 0 else Membership.Role.SCIENTIST
        Membership.objects.create(project=created, user=member, role=role, position=position)
    return created


def document(*members: User, kind: str = "concept_plan", **values) -> Document:
    if kind == document_types.ANNUAL_REPORT.key:
        return Document.objects.create(kind=kind, **({"year": 2026} | values))
    owner = values.pop("project", None) or project(*members)
    return Document.objects.create(project=owner, kind=kind, **({"year": 2026} | values))


def image_file(
    size: tuple[int, int] = (400, 300),
    image_format: str = "PNG",
    mode: str = "RGB",
    name: str = "",
    **options,
) -> ContentFile[bytes]:
    stream = io.BytesIO()
    Image.effect_noise(size, 60).convert(mode).save(stream, image_format, **options)
    return ContentFile(stream.getvalue(), name=name or f"picture.{image_format.lower()}")


def image(owner: Document, size: tuple[int, int] = (400, 300), **values) -> DocumentImage:
    return attachments.attach(owner, image_file(size), **values)


def long_text(paragraphs: int) -> str:
    sentence = "The survey covered forty transects of the meadow, and the cover rose by 12 ± 3 per cent. "
    return f"<p>{sentence * 6}</p>" * paragraphs


def cycle(**values) -> Cycle:
    letter = {"subject": letter_template.SUBJECT, "text": letter_template.TEXT}
    return Cycle.objects.create(**({"year": 2026, "due": datetime.date(2026, 7, 31)} | letter | values))


def letter(owner: Cycle, person: User, **values) -> Letter:
    defaults = {"address": person.email, "message_id": f"<{owner.year}-{person.pk}@example.org>"}
    return Letter.objects.create(cycle=owner, person=person, **(defaults | values))
