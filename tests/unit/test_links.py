"""Links lead to complete addresses or nowhere: from the PDF, too, which has no address of its own."""

import io
from pathlib import Path

import pikepdf
import pytest
from django.conf import settings

from documents.content import links
from documents.content.normalising import normalise_html
from documents.content.print_form import to_print_form
from documents.models import richtext
from tests import printing

LINKS = Path(__file__).parents[1] / "integration" / "printed" / "links.html"
SITE = settings.SPMS_URL


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("www.example.org/page", "https://www.example.org/page"),
        ("WWW.Example.ORG/A", "https://WWW.Example.ORG/A"),
        ("example.org", "https://example.org"),
        ("example.org:8080/x?y#z", "https://example.org:8080/x?y#z"),
        ("allegro.pl/x.pdf", "https://allegro.pl/x.pdf"),
        ("//example.org/x", "https://example.org/x"),
        ("someone@example.org", "mailto:someone@example.org"),
        ("documents/12/", "/documents/12/"),
        ("../../documents/12/?a=1#b", "/documents/12/?a=1#b"),
        ("/projects/3/", "/projects/3/"),
        ("#aims", "#aims"),
        ("\x0bhttps://example.org/a b ", "https://example.org/a b"),
        ("mailto:renée@example.org?subject=Größe", "mailto:renée@example.org?subject=Größe"),
        *((text, "") for text in ("", "?x=1", "page", "report.pdf", "data/map.tif", "index.html", "a.docx")),
        *((text, "") for text in ("http://", "https:///x", "http://[bad", "mailto:", "doi:10.5/x", "tel:+1")),
        *(
            (text, "")
            for text in ("javascript:alert(1)", "file:///C:/x", r"\\server\share", r"/\example.org")
        ),
        *((text, "") for text in ("10.5555/abc", "localhost:8000/x", "e.g./x", "....", ":")),
    ],
)
def test_an_address_is_complete_or_none(written, address):
    assert links.complete(written) == address
    assert links.complete(address) == address


@pytest.mark.parametrize(
    ("stored", "printed"),
    [
        ('<a href="www.example.org">x</a>', '<a href="https://www.example.org">x</a>'),
        ('<a href="documents/12/" title="t">x</a>', f'<a href="{SITE}/documents/12/" title="t">x</a>'),
        ('<a href="/projects/3/">x</a>', f'<a href="{SITE}/projects/3/">x</a>'),
        ('<a href="?x=1">x</a>', "<a>x</a>"),
        ('<a href="https://example.org/?a=1&amp;b">x</a>', '<a href="https://example.org/?a=1&amp;b">x</a>'),
        ('<a href="https://müller.example/ü">x</a>', '<a href="https://xn--mller-kva.example/ü">x</a>'),
        (r'<a href="https://example.org\back">x</a>', '<a href="https://example.org/back">x</a>'),
        ("<p>href=&quot;page&quot; is text</p>", "<p>href=&quot;page&quot; is text</p>"),
    ],
)
def test_what_is_stored_already_is_completed_for_print(stored, printed):
    assert to_print_form(stored, "x-") == printed


def test_an_author_learns_which_links_are_lost():
    text = normalise_html('<p><a href="?x=1">a</a> <a href="www.example.org">b</a> <a href="page">c</a></p>')
    assert text.html == '<p>a <a href="https://www.example.org">b</a> c</p>'
    [warning] = text.warnings
    assert (warning.count, "without a complete address" in warning.what) == (2, True)


@pytest.mark.parametrize("is_stored", [True, False])
def test_no_link_of_a_pdf_leads_to_a_site_that_is_not_there(is_stored, tmp_path):
    text = LINKS.read_text(encoding="utf-8")
    pdf, _ = printing.print_text(
        tmp_path, richtext.clean_html(text) if is_stored else text, is_stored=is_stored
    )
    addresses = uris(pdf)
    assert [uri for uri in addresses if "spms.invalid" in uri] == []
    assert {"https://www.example.org/page", f"{SITE}/documents/12/", f"{SITE}/projects/3/"} <= addresses


def uris(pdf):
    with pikepdf.open(io.BytesIO(pdf)) as document:
        annotations = [note for page in document.pages for note in page.obj.get("/Annots", ())]
        return {str(note.A.URI) for note in annotations if "/A" in note and "/URI" in note.A}
