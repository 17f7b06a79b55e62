"""Every PDF is a PDF/UA-1 and a PDF/A-3a, say three checkers that nobody here wrote."""

import random
from itertools import batched
from pathlib import Path

import pytest

from documents.content.normalising import normalise_sections
from documents.infrastructure import storage
from documents.models import Document, document_types
from documents.tasks.pdf import annual_report
from tests import factories
from tests.acceptance import random_texts
from tests.acceptance.annual_reports import make, report_of_nine_chapters
from tests.acceptance.pdf_checkers import problems_of_pdf

pytestmark = pytest.mark.django_db(transaction=True)
TEXTS = Path(__file__).parents[1] / "unit" / "text"
INPUTS = sorted(path for path in TEXTS.glob("*/*.html") if not path.name.endswith(".expected.html"))
TEXTS_AT_ONCE = 8
KINDS = [kind for kind in document_types.DOCUMENT_TYPES.values() if kind.has_project]


@pytest.fixture(autouse=True)
def _patient(settings):
    settings.SPMS_RENDER_TIMEOUT = 120.0


def problems(output, folder):
    with storage.open_file(output.file.name) as stream:
        return problems_of_pdf(stream.read(), folder)


def plan_of(owner, texts):
    """Return a document whose sections are texts as an author sends them."""
    kind = document_types.PROJECT_PLAN
    sections = dict(zip(kind.section_keys(), texts, strict=False))
    return factories.document(owner, kind=kind.key, sections=normalise_sections(kind, sections, {}).sections)


@pytest.mark.parametrize("paths", list(batched(INPUTS, TEXTS_AT_ONCE)), ids=lambda paths: paths[0].stem)
def test_a_document_with_texts_of_every_editor_passes(owner, tmp_path, paths):
    document = plan_of(owner, [path.read_text() for path in paths])
    assert problems(make(document, owner, seconds=120), tmp_path) == []


@pytest.mark.parametrize("seed", range(12))
def test_a_document_of_random_tables_lists_and_figures_passes(owner, tmp_path, seed):
    chosen = random.Random(seed)
    kind = KINDS[seed % len(KINDS)]
    document = factories.document(owner, kind=kind.key)
    pictures = [factories.image(document, caption=caption) for caption in ("", "A bay")]
    texts = {
        key: random_texts.text(chosen, [picture.url for picture in pictures]) for key in kind.section_keys()
    }
    document.sections = normalise_sections(kind, texts, {}).sections
    document.cover_image = pictures[0] if seed % 2 else None
    document.save()
    assert problems(make(document, owner, seconds=120), tmp_path) == []


@pytest.mark.parametrize("min_chapters", [1, 10_000], ids=["from parts", "as a whole"])
def test_an_annual_report_of_random_texts_passes(owner, tmp_path, monkeypatch, min_chapters):
    monkeypatch.setattr(annual_report, "MIN_CHAPTERS", min_chapters)
    report, chosen = report_of_nine_chapters(owner), random.Random(7)
    for document in Document.objects.exclude(pk=report.pk):
        kind = document.kind_info
        texts = {kind.section_keys()[0]: random_texts.text(chosen, [])}
        document.sections = normalise_sections(kind, texts, {}).sections
        document.save()
    assert problems(make(report, owner, seconds=120), tmp_path) == []
