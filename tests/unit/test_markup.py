"""No text costs a parser more than its length, whatever is repeated in it."""

import contextlib
import time

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given, settings, strategies as st

from documents.models import markup, richtext

# Generous: the slowest takes some seconds, and some took a minute before they were bounded.
MAX_SECONDS = 30

TOKENS = (
    *(
        "&",
        "&a",
        "&#",
        "&#x",
        "&;",
        "&a;",
        "&amp",
        "&amp;",
        "&notit;",
        "x",
        " ",
        "<",
        "</",
        "'",
        '"',
        "=",
        ">",
        "/",
    ),
    *(
        "<!--",
        "-->",
        "<!",
        "<?",
        "<![CDATA[",
        "]]>",
        "<p title='</div>'>",
        '<p title="',
        "<p #>",
        "<p a#=1",
        "<x>",
    ),
    *(
        "</x>",
        "<br>",
        "<p>",
        "</p>",
        "<li>",
        "<div>",
        "</div>",
        "<b>",
        "<b id=#>",
        "</b>",
        "<a>",
        "</a>",
        "<i>",
    ),
    *(
        "</i>",
        "<span>",
        "</span>",
        "<font color=#>",
        "</font>",
        "<nobr>",
        "<h1>",
        "</h1>",
        "<ul>",
        "</ul>",
        "<dd>",
    ),
    *(
        "<table>",
        "</table>",
        "<tr>",
        "</tr>",
        "<td>",
        "</td>",
        "<th>",
        "</th>",
        "<tbody>",
        "<caption>",
        "<col>",
    ),
    *(
        "<object>",
        "</object>",
        "<select>",
        "</select>",
        "<option>",
        "<button>",
        "</button>",
        "<form>",
        "</form>",
    ),
    *(
        "<svg>",
        "</svg>",
        "<math>",
        "</math>",
        "<mi>",
        "<desc>",
        "<g/>",
        "<foreignObject>",
        "</foreignObject>",
    ),
    *("<style>", "</style>", "<title>", "</title>", "<textarea>", "<script>", "</script>", "<template>"),
    *(
        "</template>",
        "<noscript>",
        "<xmp>",
        "<iframe>",
        "<plaintext>",
        "<frameset>",
        "<body>",
        "<ruby>",
        "<rt>",
    ),
    *("<optgroup>", "<o:p>", "</o:p>", "<pre>", "<center>", "<image>", "<input>", "<wbr>", "<marquee>"),
)


def repeat(begin, unit, characters):
    """Return ``begin`` and the unit as often as fits; each # is the number of its repetition."""
    count = max(1, (characters - len(begin)) // len(unit))
    return begin + "".join(unit.replace("#", str(number)) for number in range(count))


def clean_seconds(html):
    started = time.process_time()
    with contextlib.suppress(ValidationError):
        richtext.clean_html(html)
    return time.process_time() - started


@pytest.mark.parametrize(
    ("begin", "unit"),
    [
        *(
            ("", unit)
            for unit in ("&", "&a", "&#", "&;", "&a;", "&#x", "&amp;", "<", "<p>", "</p>", "<p>x</p>")
        ),
        ("<title>", "&"),
        ("<p title='", "&"),
        ("<p ", "a# "),
        ("", "<div></x>"),
        ("", "<div><!--</div>-->"),
        ("", '<div><p title="</div>">'),
        ("", "<ul><li>"),
        ("", "<div><select></div></select>"),
        ("<svg>", "<tr>"),
        ("<svg>", "<wbr>"),
        ("", "<dd><li>"),
        ("", "<math><ruby><center></math>"),
        ("<math><p>", "<x/>"),
        ("<table>", "<br>"),
        ("<table>", "x<br>"),
        ("<table>", "</p>"),
        ("", "<table>x"),
        ("<table><svg><td></svg>", "<br>"),
        ("", "<table><b id=#><td></b></table>"),
        ("", "<b id=#><object></b></object>"),
        ("".join(f"<b id={number}>" for number in range(400)), "<p>x"),
        ("", "<script>"),
        ("", "<style></style>"),
        ("", "<a "),
        ("", "<!--"),
    ],
)
def test_a_million_characters_cost_seconds_at_most(begin, unit):
    assert clean_seconds(repeat(begin, unit, richtext.MAX_SECTION_CHARACTERS)) < MAX_SECONDS


@settings(max_examples=25)
@given(
    st.lists(st.sampled_from(TOKENS), max_size=5).map("".join),
    st.lists(st.sampled_from(TOKENS), min_size=1, max_size=5).map("".join),
)
def test_a_text_four_times_as_long_costs_about_four_times_as_much(begin, unit):
    short_seconds, long_seconds = (clean_seconds(repeat(begin, unit, length)) for length in (30_000, 120_000))
    assert (
        long_seconds < 9 * short_seconds + 0.5
    )  # it would be sixteen times if the cost grew with the square


@pytest.mark.parametrize(
    ("sent", "parseable"),
    [
        ("Fish & chips", "Fish &amp; chips"),
        ("&copy 2026 &copy; &#169; &#xA9; &eacute;", "&copy; 2026 &copy; &#169; &#xA9; &eacute;"),
        ("<a href='?a=1&copy=2&b'>x</a>", "<a href='?a=1&amp;copy=2&amp;b'>x</a>"),
        ("&nothing; &a; &#; &#12345678;", "&amp;nothing; &amp;a; &amp;#; &amp;#12345678;"),
        ("1 < 2 <3", "1 &lt; 2 &lt;3"),
        ("a<!-- b --!>c<!-->d<?xml e?>f</>g</ h>i<![if x]>j", "acdfgij"),
        ("a<style><!-- p > b {} </style>c", "a<style> p > b {} </style>c"),
        ("a<script>b", "ab"),
        ("<p title='a>b' class=c/d>e</p >", "<p title='a>b' class=c/d>e</p >"),
        ("a<p title='b>c", "a"),
        ("<math><mi>x</mi><mspace/></math>", "<x-math><mi>x</mi><mspace/></mspace></x-math>"),
        ("<a href=/x/>b</a><a name='c'/>d", "<a href=/x/>b</a><a name='c'/></a>d"),
    ],
)
def test_tokens_are_written_so_that_every_parser_reads_the_same(sent, parseable):
    assert markup.make_parseable(sent) == parseable


@pytest.mark.parametrize(
    ("html", "message"),
    [
        ("<p " + " ".join(f"a{number}" for number in range(101)) + ">", "100 attributes"),
        ("<table>" + "<br>" * 501, "cells"),
        ("".join(f"<b id={number}>" for number in range(400)) + "<p>x" * 501, "close each"),
        ("<div>" * 501, "deep"),
        ("&" * 200_001, "1,000,005 characters long"),
        ("<p>" * 150_000, "characters long"),
    ],
)
def test_a_text_that_costs_too_much_is_refused_with_the_bound(html, message):
    with pytest.raises(ValidationError, match=message):
        richtext.clean_html(html)


def test_tables_and_lists_of_an_honest_text_are_no_depth():
    rows = "<tr><td><p>a<b>b</b><td>c" * 900
    markup.make_parseable(f"<table>{rows}</table>" * 20 + "<ul><li>a<li>b<ul><li>c</ul></ul>" * 900)
    markup.make_parseable("<p>one <b>two <i>three</b></i>\n" * 900)
