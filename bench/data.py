"""Documents to measure with: a plan of 3 pages, plans of 13 pages with photographs, a report of 400."""

import io
from dataclasses import dataclass
from random import Random

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.core.files.base import ContentFile
from PIL import Image, ImageFilter
from rest_framework.authtoken.models import Token

from documents.models import BusinessArea, Document, Membership, Project, document_types
from documents.tasks.images import attachments

WORDS = (
    *("the", "survey", "of", "seagrass", "meadows", "along", "western", "coast", "shows", "that", "cover"),
    *("and", "height", "recover", "within", "four", "summers", "where", "sediment", "is", "stable", "while"),
    *("transects", "near", "channel", "lose", "plants", "after", "each", "warm", "season"),
)
CHAPTERS = 200
PASSWORD = "the password of everybody here"


@dataclass(frozen=True, kw_only=True)
class Documents:
    """The ids of the documents, and the token of a user who may render them."""

    token: str
    short: int
    medium: tuple[int, ...]
    annual: int
    annual_short: int


def make() -> Documents:
    """Store everything that the measurements need."""
    staff = User.objects.create_user("bench", is_staff=True)
    for name in ("ada", "grace", "rachel"):
        User.objects.create_user(name, first_name=name.title(), last_name="Example")
    area = BusinessArea.objects.create(name="Marine Science", leader=staff)
    random = Random(7)
    return Documents(
        token=Token.objects.create(user=staff).key,
        short=short(area, random, 1).pk,
        medium=tuple(_medium(area, random, number).pk for number in range(4)),
        annual=_annual(area, random, year=2026, chapters=CHAPTERS).pk,
        annual_short=_annual(area, random, year=2025, chapters=1).pk,
    )


def people(count: int, plans: list[int]) -> list[dict[str, object]]:
    """Store people who are each in the projects of three plans; returns how they sign in, and their plans."""
    hashed = make_password(PASSWORD)
    users = User.objects.bulk_create(User(username=f"person-{n}", password=hashed) for n in range(count))
    tokens = Token.objects.bulk_create(Token(user=user, key=Token.generate_key()) for user in users)
    project_of = dict(Document.objects.values_list("pk", "project_id"))
    own = [[plans[(n + step) % len(plans)] for step in range(min(3, len(plans)))] for n in range(count)]
    Membership.objects.bulk_create(
        Membership(user=user, project_id=project_of[plan], position=9)
        for user, own_plans in zip(users, own, strict=True)
        for plan in own_plans
    )
    return [
        {
            "username": user.username,
            "password": PASSWORD,
            "plans": own_plans,
            "token": token.key,
            "session": session(user),
        }
        for user, token, own_plans in zip(users, tokens, own, strict=True)
    ]


def session(user: User) -> str:
    """Sign a user in to the pages, and return the value of the cookie."""
    store = SessionStore()
    store[SESSION_KEY], store[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store.save()
    return str(store.session_key)


def text(random: Random, paragraphs: int, words: int = 90) -> str:
    """Return paragraphs of running text."""
    sentences = (" ".join(random.choices(WORDS, k=words)).capitalize() for _ in range(paragraphs))
    return "".join(f"<p>{sentence}.</p>" for sentence in sentences)


def table(random: Random, rows: int) -> str:
    """Return a table of figures."""
    head = "<tr><th>Site</th><th>Cover (%)</th><th>Height (mm)</th><th>Shoots</th></tr>"
    lines = (
        f"<tr><td>Transect {row}</td>"
        + "".join(f"<td>{random.randint(1, 999)}</td>" for _ in range(3))
        + "</tr>"
        for row in range(rows)
    )
    return f"<table><thead>{head}</thead><tbody>{''.join(lines)}</tbody></table>"


def _project(area: BusinessArea, number: int, year: int = 2026) -> Project:
    tag, title = f"SP-{year}-{number:03d}", f"Seagrass of bay {number}"
    project = Project.objects.create(title=title, tag=tag, year=year, business_area=area)
    for position, user in enumerate(User.objects.all()):
        Membership.objects.create(project=project, user=user, position=position)
    return project


def short(area: BusinessArea, random: Random, number: int) -> Document:
    """Store a concept plan of 3 pages."""
    keys = document_types.CONCEPT_PLAN.section_keys()
    sections = {key: text(random, 2, 75) for key in keys}
    sections["budget"] += table(random, 8)
    return Document.objects.create(
        project=_project(area, number), kind="concept_plan", year=2026, sections=sections
    )


def _medium(area: BusinessArea, random: Random, number: int) -> Document:
    plan = Document.objects.create(project=_project(area, 10 + number), kind="project_plan", year=2026)
    photographs = [attachments.attach(plan, _photograph(random, number * 4 + index)) for index in range(4)]
    keys = document_types.PROJECT_PLAN.section_keys()
    sections = {key: text(random, 5) for key in keys}
    for key, photograph in zip(keys, photographs, strict=False):
        sections[key] += (
            f'<figure><img src="{photograph.url}" alt="A site"><figcaption>A site</figcaption></figure>'
        )
    sections["operating_budget"] += table(random, 40)
    plan.sections = sections
    plan.save(update_fields=["sections"])
    return plan


def _photograph(random: Random, seed: int) -> ContentFile[bytes]:
    """Return a JPEG of 12 million pixels that compresses as a photograph does."""
    small = Image.frombytes("RGB", (400, 300), Random(seed).randbytes(400 * 300 * 3))
    large = small.filter(ImageFilter.GaussianBlur(2)).resize((4000, 3000), Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    large.save(stream, "JPEG", quality=92)
    return ContentFile(stream.getvalue(), name=f"photograph-{random.randint(1, 999)}.jpg")


def _annual(area: BusinessArea, random: Random, *, year: int, chapters: int) -> Document:
    values = {"kind": "progress_report", "year": year, "status": "approved"}
    reports = []
    for number in range(100, 100 + chapters):
        sections = {key: text(random, 2, 110) for key in document_types.PROGRESS_REPORT.section_keys()}
        reports.append(Document(project=_project(area, number, year), sections=sections, **values))
    Document.objects.bulk_create(reports)
    return Document.objects.create(kind="annual_report", year=year)
