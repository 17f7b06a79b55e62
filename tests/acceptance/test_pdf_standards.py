"""Every PDF is a PDF/UA-1 and a PDF/A-3a, say three checkers that nobody here wrote."""

import random
from itertools import batched, count
from pathlib import Path

import pytest

from documents.content import editions
from documents.content.editions import Edition
from documents.content.normalising import normalise_sections
from documents.infrastructure import storage
from documents.models import BusinessArea, Document, document_types
from documents.tasks.pdf import annual_report
from tests import factories
from tests.acceptance import random_texts
from tests.acceptance.annual_reports import make, report_of_nine_chapters
from tests.acceptance.pdf_checkers import problems_of_pdf

pytestmark = pytest.mark.django_db(transaction=True)
TESTS = Path(__file__).parents[1]
TEXTS = [*TESTS.glob("unit/text/*/*.html"), *TESTS.glob("integration/printed/*.html")]
INPUTS = sorted(path for path in TEXTS if not path.name.endswith(".expected.html"))
TEXTS_AT_ONCE = 8
PIECES = 3
KINDS = [kind for kind in document_types.DOCUMENT_TYPES.values() if kind.has_project]
ARCHIVE = Edition(variant=editions.ARCHIVE)


@pytest.fixture(autouse=True)
def _patient(settings):
    settings.SPMS_RENDER_TIMEOUT = 120.0


def problems(output, folder):
    with storage.open_file(output.file.name) as stream:
        return problems_of_pdf(stream.read(), folder)


def write(document, texts):
    """Store texts in the sections of a document as an author sends them."""
    kind = document.kind_info
    sections = dict(zip(kind.section_keys(), texts, strict=False))
    document.sections = normalise_sections(kind, sections, {}).sections
    document.save()


@pytest.mark.parametrize("paths", list(batched(INPUTS, TEXTS_AT_ONCE)), ids=lambda paths: paths[0].stem)
def test_a_document_with_texts_of_every_editor_passes(owner, tmp_path, paths):
    document = factories.document(owner, kind=document_types.PROJECT_PLAN.key)
    write(document, [path.read_text() for path in paths])
    assert problems(make(document, owner, seconds=120), tmp_path) == []


@pytest.mark.parametrize("seed", range(len(KINDS)), ids=lambda seed: KINDS[seed].key)
def test_a_document_of_random_texts_passes_in_each_edition(owner, tmp_path, seed):
    chosen = random.Random(seed)
    document = factories.document(owner, kind=KINDS[seed].key)
    pictures = [factories.image(document, caption=caption) for caption in ("", "A bay")]
    document.cover_image = pictures[0] if seed % 2 else None
    addresses = [picture.url for picture in pictures]
    write(document, (random_texts.text(chosen, addresses, PIECES) for _ in count()))
    for edition in (editions.DEFAULT, ARCHIVE):
        assert problems(make(document, owner, seconds=120, edition=edition), tmp_path) == []


@pytest.mark.parametrize(
    ("min_chapters", "edition"),
    [
        (1, editions.DEFAULT),
        (10_000, editions.DEFAULT),
        (1, ARCHIVE),
        (1, Edition(reports=editions.ALL)),
        (1, Edition(division="Seas")),
    ],
    ids=["from parts", "as a whole", "with its source", "all reports", "one division"],
)
def test_an_annual_report_of_random_texts_passes(owner, tmp_path, monkeypatch, min_chapters, edition):
    monkeypatch.setattr(annual_report, "MIN_CHAPTERS", min_chapters)
    report, chosen = report_of_nine_chapters(owner), random.Random(7)
    BusinessArea.objects.update(division="Seas")
    for document in Document.objects.exclude(pk=report.pk):
        write(document, [random_texts.text(chosen, [], PIECES)])
    assert problems(make(report, owner, seconds=120, edition=edition), tmp_path) == []
