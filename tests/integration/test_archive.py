"""A PDF with its source attached; tests/acceptance/test_pdf_standards.py has validators check PDF/A-3."""

import io
import json

import pikepdf
import pytest

from documents.models import document_types
from tests import factories
from tests.asking import address

pytestmark = pytest.mark.django_db(transaction=True)
TEXT = "<p>See <a href='https://example.org/'>the survey</a> of 12 ± 3 %.</p><table><tr><th>Bay</th></tr></table>"


@pytest.fixture
def plan(owner, member):
    document = factories.document(owner, member, kind="project_plan", sections={"aims": TEXT})
    picture = factories.image(document)
    document.sections["background"] = f'<figure><img src="{picture.url}" alt="Noise"></figure>'
    document.save(update_fields=["sections"])
    return document


def fetch(api, document, query="?variant=pdf/a-3a"):
    assert api.post(address(document, query)).status_code == 201
    sent = api.get(address(document, query))
    return b"".join(sent.streaming_content), sent


@pytest.fixture
def archive(api, plan):
    with pikepdf.open(io.BytesIO(fetch(api, plan)[0])) as pdf:
        yield pdf


def fonts(pdf):
    return [font for page in pdf.pages for font in page.resources.get("/Font", {}).values()]


def test_it_says_which_standard_it_keeps_and_is_tagged(archive):
    with archive.open_metadata() as metadata:
        assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("3", "A")
        assert metadata["dc:title"]
    assert archive.Root.MarkInfo.Marked
    assert archive.Root.StructTreeRoot.K
    assert str(archive.Root.Lang) == "en-AU"
    assert not archive.is_encrypted
    assert archive.trailer.ID


def test_its_colours_are_defined_by_a_profile(archive):
    [intent] = archive.Root.OutputIntents
    assert intent.S == "/GTS_PDFA1"
    assert b"sRGB" in intent.DestOutputProfile.read_bytes() or intent.OutputConditionIdentifier


def test_every_font_is_inside_and_maps_to_unicode(archive):
    assert fonts(archive)
    for font in fonts(archive):
        descriptor = font.DescendantFonts[0].FontDescriptor
        assert "/FontFile2" in descriptor or "/FontFile3" in descriptor
        assert "/ToUnicode" in font


def test_nothing_in_it_is_forbidden(archive):
    assert not {"/OpenAction", "/AA", "/JavaScript"} & set(archive.Root.keys())
    pictures = 0
    for item in archive.objects:
        if isinstance(item, pikepdf.Stream) and item.get("/Subtype") == "/Image":
            pictures += 1
            assert not item.get("/Interpolate", False)
        if isinstance(item, pikepdf.Dictionary) and item.get("/Type") == "/Annot":
            assert int(item.F) & 4  # printed
            assert "/A" not in item or item.A.S in {"/URI", "/GoTo"}
        if isinstance(item, pikepdf.Stream):
            assert item.get("/Filter") != "/LZWDecode"
    assert pictures


def test_the_source_is_attached_and_tells_all_that_is_printed(archive, plan):
    [name] = archive.attachments
    assert name == "document.json"
    for relation in archive.Root.AF:  # WeasyPrint names the one file twice
        assert relation.AFRelationship == "/Source"
        assert relation.EF.F.Subtype == "/application/json"
    cover, *sections, facts = json.loads(archive.attachments[name].get_file().read_bytes())
    assert cover["project"]["tag"] == plan.project.tag
    assert [section["title"] for section in sections] == [
        section.title for section in document_types.PROJECT_PLAN.sections
    ]
    assert "12 ± 3" in sections[1]["html"]
    assert len(facts["fingerprint"]) == 64


def test_both_variants_stand_side_by_side(api, plan):
    archived, sent = fetch(api, plan)
    plain, _ = fetch(api, plan, "")
    assert "(archive).pdf" in sent["Content-Disposition"]
    assert archived != plain
    assert api.post(address(plan)).status_code == 200
    with pikepdf.open(io.BytesIO(plain)) as pdf:
        assert not pdf.attachments


def test_equal_input_gives_equal_files(api, plan, monkeypatch):
    at = plan.updated_at
    monkeypatch.setattr("django.utils.timezone.now", lambda: at)
    first, _ = fetch(api, plan, "?variant=pdf/a-3a&force=true")
    second, _ = fetch(api, plan, "?variant=pdf/a-3a&force=true")
    assert first == second


def test_an_annual_report_is_archived_with_all_its_chapters(maintainer, client_of, plan):
    factories.document(
        project=plan.project, kind="progress_report", status="approved", sections={"progress": "<p>Well.</p>"}
    )
    report = factories.document(kind="annual_report")
    content, _ = fetch(client_of(maintainer), report)
    with pikepdf.open(io.BytesIO(content)) as pdf:
        parts = json.loads(pdf.attachments["document.json"].get_file().read_bytes())
    assert plan.project.tag in [part["project"]["tag"] for part in parts if part.get("project")]


def test_another_variant_is_refused_with_those_that_there_are(api, plan):
    answer = api.post(address(plan, "?variant=pdf/x-1a"))
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:spms:problem:edition-unknown")
    assert "pdf/ua-1, pdf/a-3a" in answer.json()["detail"]
