"""What takes too long to lay out is refused when it is stored, in a time that grows with its length only."""

import time

import pytest
from django.core.exceptions import ValidationError

from documents.models import document_types, layout_bounds, richtext

LONG = {
    "lines of code": ("<pre>" + "x\n" * 50_000 + "</pre>", "lines"),
    "breaks": ("<p>" + "x<br>" * 20_001 + "</p>", "lines"),
    "list items": ("<ul>" + "<li>x</li>" * 15_001 + "</ul>", "list items"),
    "paragraphs": ("<p>x</p>" * 15_001, "paragraphs"),
    "marked words": ("<p>" + "<b>x</b> " * 15_001 + "</p>", "marked words"),
    "cells": ("<table>" + ("<tr>" + "<td>x</td>" * 50 + "</tr>") * 401 + "</table>", "table cells"),
    "wide cells": ('<table><tr><td rowspan="100" colspan="100">x</td></tr></table>' * 3, "table cells"),
    "wide columns": ('<table><col span="100">' * 201 + "<tr><td>x</td></tr></table>", "table cells"),
    "hidden spans": ('<table><tr><td title="&gt;" colspan="100" rowspan="100">x</td></tr></table>' * 3, "table cells"),
    "marked letters": ("<p>" + "<b>x</b>y" * 201 + "</p>", "one long word"),
    "letters around no-break spaces": ("<p>" + "<b>x</b>&nbsp;" * 201 + "</p>", "one long word"),
}  # fmt: skip


@pytest.mark.parametrize("name", LONG)
def test_a_text_beyond_a_bound_is_refused_with_the_bound_and_advice(name):
    html, counted = LONG[name]
    with pytest.raises(ValidationError, match=f"{counted}.*at most [0-9,]+ can be laid out") as caught:
        richtext.clean_html(html)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "html",
    [
        "<p>" + "word " * 100_000 + "</p>",
        "<pre>" + "x\n" * 10_000 + "</pre>",
        "<table>" + ("<tr>" + "<td>x</td>" * 12 + "</tr>") * 1_000 + "</table>",
        "<p>" + "<b>marked</b> words " * 5_000 + "</p>",
        "<pre>" + "<b>def</b> <i>f</i>(x):\n" * 2_000 + "</pre>",
        "<p>" + "<b>字</b>字" * 1_000 + "</p>",
        "<ul>" + "<li>x</li>" * 10_000 + "</ul>",
    ],
    ids=["text", "code", "table", "marked words", "marked code", "Chinese", "list"],
)
def test_long_reports_are_stored(html):
    assert richtext.clean_html(html)


def test_the_sections_of_a_document_count_together():
    half = "<pre>" + "x\n" * 12_000 + "</pre>"
    keys = document_types.CONCEPT_PLAN.section_keys()[:2]
    assert richtext.clean_sections(document_types.CONCEPT_PLAN, {keys[0]: half})
    with pytest.raises(ValidationError, match=r"All sections together.*24,[0-9]{3} lines"):
        richtext.clean_sections(document_types.CONCEPT_PLAN, dict.fromkeys(keys, half))


def test_the_section_is_named():
    key = document_types.CONCEPT_PLAN.section_keys()[0]
    with pytest.raises(ValidationError, match=f"Section “{key}” has 51,666 lines"):
        richtext.clean_sections(document_types.CONCEPT_PLAN, {key: LONG["lines of code"][0]})


@pytest.mark.parametrize("part", ["<b>x</b>", '<p title="', "<", '"', "<pre>\n", '<td colspan="9', "<td "])
def test_counting_takes_time_in_proportion_to_the_text(part):
    def cpu_seconds(characters):
        text, started = part * (characters // len(part)), time.process_time()
        layout_bounds.measure(text)
        return time.process_time() - started

    cpu_seconds(1_000)
    short, long = min(cpu_seconds(50_000) for _ in range(3)), cpu_seconds(1_000_000)
    assert long < 20 * 6 * short + 0.5


@pytest.mark.parametrize("name", ["colspan", "rowspan"])
@pytest.mark.parametrize("digits", ["9" * 4_301, "9" * 100_000, "101", "0" * 5_000 + "1"])
def test_a_span_of_any_number_of_digits_is_refused_in_a_few_words(name, digits):
    with pytest.raises(ValidationError, match=f"{name}=.*at most 100 is allowed") as caught:
        richtext.clean_html(f'<table><tr><td {name}="{digits}">x</td></tr></table>')
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", ["٣", "²", "-1", "1.5", "1e3", " 2", "", "x" * 5_000])
def test_what_is_no_span_is_dropped(value):
    cleaned = richtext.clean_html(f'<table><tr><td colspan="{value}">x</td></tr></table>')
    assert "colspan" not in cleaned


@pytest.mark.parametrize("value", ["9" * 5_000, "٣", "1.5", "0x1"])
def test_a_list_starts_at_a_number_that_can_be_read(value):
    assert "start" not in richtext.clean_html(f'<ol start="{value}"><li>x</li></ol>')
    assert richtext.clean_html('<ol start="-7"><li>x</li></ol>') == '<ol start="-7"><li>x</li></ol>'


SPELLINGS = [
    "da&#9;ta:",
    "da\nta:",
    "&#1;data:",
    "DATA:",
    " data:",
    "data&colon;",
    "d&#13;a&#10;ta&#9;:",
    "&#127;data:",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("scheme", ["data", "javascript", "vbscript", "file"])
def test_no_spelling_of_a_scheme_makes_a_link(spelling, scheme):
    letters = {
        "data": ("da", "ta"),
        "javascript": ("java", "script"),
        "vbscript": ("vb", "script"),
        "file": ("fi", "le"),
    }
    begin, end = letters[scheme]
    target = (
        spelling.replace("da", begin).replace("ta", end).replace("d&#13;a", f"{begin[0]}&#13;{begin[1:]}")
    )
    assert "href" not in richtext.clean_html(f'<a href="{target}text/html,x">x</a>')


@pytest.mark.parametrize(
    "target",
    ["https://example.org/a?b=c:d#e", "mailto:a@example.org", "#top", "/documents/7/", "page:2/x y"[5:]],
)
def test_ordinary_links_stay(target):
    assert f'href="{target}"' in richtext.clean_html(f'<a href="{target}">x</a>')


def test_controls_are_removed_from_the_addresses_that_stay():
    assert (
        richtext.clean_html('<a href="ht&#9;tps://exa\nmple.org/">x</a>')
        == '<a href="https://example.org/">x</a>'
    )
