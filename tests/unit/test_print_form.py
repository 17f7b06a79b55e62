"""A stored text is printed with its numbers, its widths, and anchors that meet no others."""

import contextlib

import pypdfium2
import pytest
from weasyprint import HTML

from documents.content.print_form import to_print_form


def printed(html):
    """Return the lines of a text as WeasyPrint prints it."""
    style = "ol[type=a] { list-style-type: lower-alpha }"
    pdf = HTML(string=f"<style>{style}</style>{to_print_form(html, 'x-')}").write_pdf()
    with contextlib.closing(pypdfium2.PdfDocument(pdf)) as document:
        return document[0].get_textpage().get_text_bounded().split()


@pytest.mark.parametrize(
    ("html", "markers"),
    [
        ('<ol start="5"><li>five</li><li>six</li></ol>', ["5.", "6."]),
        ('<ol start="0"><li>x</li><li value="-3">y</li><li>z</li></ol>', ["0.", "-3.", "-2."]),
        ('<ol><li value="10">x</li><li style="text-align:right" value="20">y</li></ol>', ["10.", "20."]),
        ('<ol type="a" start="3"><li>x<ol start="7"><li>y</li></ol></li><li>z</li></ol>', ["c.", "7.", "d."]),
    ],
)
def test_lists_count_as_written(html, markers):
    assert [word for word in printed(html) if word.endswith(".")] == markers


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>plain</p>", "<p>plain</p>"),
        ('<a href="#n">1</a><p id="n">x</p>', '<a href="#x-n">1</a><p id="x-n">x</p>'),
        ('<a href="#report-5">a chapter</a>', '<a href="#report-5">a chapter</a>'),
        (
            '<a href="#n">1</a><b id="n">x</b><a href="#m">2</a>',
            '<a href="#x-n">1</a><b id="x-n">x</b><a href="#m">2</a>',
        ),
        ('<p id="n">no link leads here</p>', '<p id="n">no link leads here</p>'),
        ('<p>a text with href="#n" in it</p>', '<p>a text with href="#n" in it</p>'),
        ("<p title='\"'>x</p>", "<p title='\"'>x</p>"),
        ('<col width="30%"><col>', '<col width="30%" style="width:30%"><col>'),
        (
            '<li value="9" style="text-align:right">x</li>',
            '<li value="9" style="counter-reset:list-item 9;counter-increment:none;text-align:right">x</li>',
        ),
    ],
)
def test_only_tags_are_changed(html, expected):
    assert to_print_form(html, "x-") == expected
