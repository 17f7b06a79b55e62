"""Texts of each editor and office program become our own small HTML; what is lost is said."""

from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given, strategies as st

from documents.content.normalising import find_missing_images, normalise_html, normalise_sections
from documents.models import document_types

FOLDER = Path(__file__).parent / "text"
INPUTS = sorted(path for path in FOLDER.glob("*/*.html") if not path.name.endswith(".expected.html"))
PIECES = st.sampled_from(
    [
        *(
            "<p>",
            "</p>",
            "<b>",
            "</b>",
            "<i>",
            "</i>",
            "<ul>",
            "</ul>",
            "<ol type=a start=3>",
            "</ol>",
            "<li>",
        ),
        *("</li>", "<h1>", "</h1>", "<h4>", "</h4>", "<table>", "</table>", "<tr>", "<td>", "<th>", "</td>"),
        *(
            "<span style='font-weight:700'>",
            "<span style='vertical-align:super'>",
            "</span>",
            "<br>",
            "<pre>",
        ),
        *("<li value=7>", "<div style='text-align:center'>", "</div>", "<blockquote>", "</blockquote>"),
        *("<p class=MsoListParagraph style='mso-list:l0 level2 lfo1'>", "<span style='mso-list:Ignore'>1."),
        *(
            "<li data-list=checked>",
            "<input type=checkbox>",
            "<a href='#n'>",
            "<a id=n>",
            "</a>",
            "<img src=x>",
        ),
        *("<details><summary>", "</summary>", "</details>", "<p style='white-space:pre-wrap'>", "<hr>"),
        *(
            "<dl>",
            "</dl>",
            "<dt>",
            "</dt>",
            "<dd>",
            "</dd>",
            "</table>",
            "<tr>",
            "<td>",
            "<caption>",
            "<figure>",
        ),
        *(
            "<span style='font-weight:normal'>",
            "<sub>",
            "<mark>",
            "<q>",
            "<span lang=fr>",
            "<font face=Symbol>",
        ),
        *("<p class=MsoHeading7>", "<o:p>", "<math>", "<mi>", "<ul class=lst-kix_a-1>", "<p align=right>"),
        "<p style='text-indent:-18pt;margin-left:36pt'>·\u00a0 y",
        *("text", "two  spaces", " ", "\n", "\u00a0", "&lt;", "1.1."),
    ]
)


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_each_dialect_becomes_our_own_html(path):
    expected = path.with_name(f"{path.stem}.expected.html").read_text().removesuffix("\n")
    normalised = normalise_html(path.read_text())
    assert normalised.html == expected
    assert normalise_html(expected).html == expected


@given(st.lists(PIECES, max_size=40).map("".join))
def test_normalising_twice_changes_nothing(html):
    try:
        text = normalise_html(html).html
    except ValidationError:
        return
    assert normalise_html(text).html == text


@given(st.text(alphabet=st.characters() | st.sampled_from("<>/=\"'& "), max_size=400))
def test_any_text_can_be_normalised(text):
    html = normalise_html(text).html
    assert normalise_html(html).html == html
    assert "<script" not in html.lower()


@pytest.mark.parametrize(
    "stored",
    [
        "<p>Plain <b>bold</b> <i>italic</i> <strong>strong</strong> <em>em</em></p>\n<p>Next</p>",
        '<p style="text-align:right">x</p><ul><li>a<ul><li>b</li></ul></li></ul><ol><li><p>c</p></li></ol>',
        "<h3>Only a third level</h3><p>x</p><h4>And below</h4>",
        '<table><thead><tr><th scope="col">A</th></tr></thead><tbody><tr><td colspan="2">x</td></tr></tbody></table>',
        "<div>line<br>line</div><blockquote><p>quote</p></blockquote><dl><dt>t</dt><dd>d</dd></dl><hr><pre>x  y</pre>",
        '<figure><img src="/api/v1/images/0b1c9bb4-5d0a-4c8b-9e8d-0a1b2c3d4e5f/" alt=""></figure>',
        '<p>CO<sub>2</sub> m<sup>2</sup> <code>x</code> <mark>m</mark> <a href="https://example.org/">a</a></p>',
    ],
)
def test_what_is_stored_already_stays_as_it_is(stored):
    normalised = normalise_html(stored)
    assert normalised.html.replace(' scope="col"', "") == stored.replace(' scope="col"', "")
    assert normalised.warnings == ()


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ("1 4 2", "2 3 3"),
        ("3", "3"),
        ("2 3", "2 3"),
        ("3 2 3", "3 2 3"),
        ("1 2 3 4 5 6", "2 3 4 5 5 5"),
        ("6", "5"),
        ("4 5 6", "3 4 5"),
        ("5 2", "3 2"),
    ],
)
def test_headings_go_below_ours_and_skip_no_level(levels, expected):
    html = normalise_html("".join(f"<h{level}>x</h{level}>" for level in levels.split())).html
    assert html == "".join(f"<h{level}>x</h{level}>" for level in expected.split())


@pytest.mark.parametrize(
    ("html", "part", "count"),
    [
        (
            "<img src='file:///C:/map.png'><img src='file:///D:/map.png'>",
            "“map.png” is missing: it stayed",
            2,
        ),
        ("<img src='https://example.org/a%20b.jpg'>", "“a b.jpg” is missing: it is on another site", 1),
        (
            f"<img alt=Chart src='data:image/png;base64,{'A' * 500_001}'>",
            "“Chart” is missing: it is too large",
            1,
        ),
        ("<img alt=Logo src='data:image/svg+xml;base64,AAAA'>", "“Logo” is missing: it is not PNG", 1),
        ("<svg><circle r=1 /></svg>", "drawing (SVG) is missing", 1),
        ("<video src='a.mp4'></video>", "a video is missing", 1),
        ("<p style='color:red'>x</p>", "text colours are not printed", 1),
        ("<table><tr><td bgcolor=red>x</td><td>y</td></tr></table>", "colours of table cells", 1),
        ("<a href='file:///C:/x.docx'>x</a>", "link to a file on a computer", 1),
        ("<input value=x>", "a form field is missing", 1),
        ("<script>x</script>", "a script is not kept", 1),
    ],
)
def test_what_is_lost_is_said_with_its_section_and_a_count(html, part, count):
    [warning] = normalise_html(html, "methods").warnings
    assert part in warning.what
    assert (warning.section, warning.count) == ("methods", count)


def test_an_image_of_megabytes_is_named_and_the_rest_of_the_text_is_kept():
    image = f"<img alt=Chart src='data:image/png;base64,{'A' * 4_000_000}'>"
    normalised = normalise_html(f"<p>before</p>{image}<p>after</p>", "methods")
    assert normalised.html.startswith("<p>before</p>")
    assert normalised.html.endswith("<p>after</p>")
    [warning] = normalised.warnings
    assert "“Chart” is missing: it is too large" in warning.what


def test_a_thousand_missing_images_are_not_all_listed():
    text = normalise_html("".join(f"<img src=file:///{number}.png>" for number in range(1_000)), "aims")
    for warnings in (text.warnings, find_missing_images({"aims": text.html})):
        assert len(warnings) == 21
        assert sum(warning.count for warning in warnings) == 1_000


def test_a_stored_text_still_tells_which_images_it_is_missing():
    text = normalise_html('<p>x <img src="file:///C:/a/map.png" alt="A &gt; B"> y</p>').html
    [warning] = find_missing_images({"methods": text, "aims": "<p>none</p>"})
    assert (warning.section, warning.count) == ("methods", 1)
    assert "“map.png” is missing" in warning.what


def test_sections_that_have_not_changed_stay_as_they_are():
    stored = {"aims": "<p>old   <font>spelling</font></p>"}
    sent = {"aims": stored["aims"], "background": "<font>new</font>"}
    sections = normalise_sections(document_types.CONCEPT_PLAN, sent, stored).sections
    assert sections == {"aims": stored["aims"], "background": "new"}


def test_unknown_sections_and_wrong_types_are_refused():
    invalid: list[object] = [None, [], {"aims": 5}, {"nowhere": "<p>x</p>"}]
    for sections in invalid:
        with pytest.raises(ValidationError):
            normalise_sections(document_types.CONCEPT_PLAN, sections)
