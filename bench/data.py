"""Documents to measure with: a plan of 3 pages, plans of 13 pages with photographs, a report of 400."""

import io
from dataclasses import dataclass
from random import Random

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from PIL import Image, ImageFilter
from rest_framework.authtoken.models import Token

from documents import images, kinds
from documents.models import BusinessArea, Document, Membership, Project

WORDS = (
    *("the", "survey", "of", "seagrass", "meadows", "along", "western", "coast", "shows", "that", "cover"),
    *("and", "height", "recover", "within", "four", "summers", "where", "sediment", "is", "stable", "while"),
    *("transects", "near", "channel", "lose", "plants", "after", "each", "warm", "season"),
)
CHAPTERS = 200


@dataclass(frozen=True, kw_only=True)
class Documents:
    """The ids of the documents and the token of somebody who may render them."""

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
    keys = kinds.CONCEPT_PLAN.section_keys()
    sections = {key: text(random, 2, 75) for key in keys}
    sections["budget"] += table(random, 8)
    return Document.objects.create(
        project=_project(area, number), kind="concept_plan", year=2026, sections=sections
    )


def _medium(area: BusinessArea, random: Random, number: int) -> Document:
    plan = Document.objects.create(project=_project(area, 10 + number), kind="project_plan", year=2026)
    photographs = [images.attach(plan, _photograph(random, number * 4 + index)) for index in range(4)]
    keys = kinds.PROJECT_PLAN.section_keys()
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
        sections = {key: text(random, 2, 110) for key in kinds.PROGRESS_REPORT.section_keys()}
        reports.append(Document(project=_project(area, number, year), sections=sections, **values))
    Document.objects.bulk_create(reports)
    return Document.objects.create(kind="annual_report", year=year)
