"""Every word of a text is in its PDF and on its pages, or a warning says which is not."""

import re
import tomllib
import unicodedata
from collections import Counter
from html import unescape
from pathlib import Path

import pytest

from documents.content.normalising import normalise_html
from tests import printing

TESTS = Path(__file__).parents[1]
SAMPLES = TESTS.parent / "documents" / "samples" / "texts"
PRINTED = Path(__file__).parent / "printed"
INPUTS = sorted(
    path
    for folder, pattern in ((TESTS / "unit" / "text", "*/*.html"), (PRINTED, "*.html"))
    for path in folder.glob(pattern)
    if not path.name.endswith(".expected.html")
)
# Line breaks of the PDF, hyphens at them (PDFium says U+FFFE) and places to break.
BROKEN = re.compile(r"[\s\u00ad\u200b\u2010\ufffe-]+")
LOSSES = {"text-not-printed", "text-off-page"}


def table(rows, head=(), foot=()):
    groups = (("thead", "th", head), ("tbody", "td", rows), ("tfoot", "td", foot))
    return "<table>" + "".join(map(group, groups)) + "</table>"


def group(parts):
    tag, cell, rows = parts
    written = "".join("<tr>" + "".join(f"<{cell}>{text}</{cell}>" for text in row) + "</tr>" for row in rows)
    return f"<{tag}>{written}</{tag}>" if written else ""


SEQUENCE = "GGTCAACAAATCATAAAGATATTGG" * 2
PATH = "interoperability_characterisation/groundwater.distributionmodels_v2.csv"
GERMAN = "Grundwasserbeschaffenheitsuntersuchungsprogramm"
LINES = "<br>".join(f"line{number}" for number in range(80))
PARAGRAPHS = "".join(f"<p>Paragraph {number} of a long answer.</p>" for number in range(80))
MADE = {
    "words in heads": table([["1"] * 9] * 3, head=[["Characterisation", "Interoperability", "Electro"] * 3]),
    "German heads": table([["1"] * 5], head=[[GERMAN] * 5]),
    "12 columns": table([["Interoperability"] * 12] * 3, head=[[f"Characterisation{n}" for n in range(12)]]),
    "40 columns": table([[f"{n}.25" for n in range(40)]] * 3, head=[[f"Site{n}" for n in range(40)]]),
    "60 columns": table([[str(n) for n in range(60)]] * 3),
    "sequences": table([[SEQUENCE] * 4] * 2, head=[[PATH] * 4]),
    "a table in a table": table([["a", table([[SEQUENCE] * 3], head=[[PATH] * 3])]] * 2),
    "tall foot": table([["row", "x"]] * 3, foot=[[f"Foot {n}", "y"] for n in range(70)]),
    "tall foot first": "<table><tfoot>"
    + "<tr><td>foot</td></tr>" * 70
    + "</tfoot><tr><td>b</td></tr></table>",
    "tall cell in a head": table([["row", "x"]] * 3, head=[[LINES, "Head"]]),
    "a head of a half page": table([["row", "x"]] * 90, head=[[f"Head {n}", "x"] for n in range(22)]),
    "head and foot": table(
        [["row", "x"]] * 90,
        head=[[f"Head {n}", "x"] for n in range(9)],
        foot=[[f"Foot {n}", "x"] for n in range(9)],
    ),
    "only a head": "<table><thead>" + "<tr><th>Head</th></tr>" * 80 + "</thead></table>",
    "two heads": "<table><thead><tr><th>H1</th></tr></thead><thead><tr><th>H2</th></tr></thead></table>",
    "tall rows": table(
        [[PARAGRAPHS, "x"], ["between", "y"], ["z", PARAGRAPHS]], head=[["Question", "Answer"]]
    ),
    "deep lists": "<ul><li>item" * 22 + "</li></ul>" * 22,
    "deep quotations": "<blockquote>" * 45 + f"<p>{'some words ' * 40}</p>" + "</blockquote>" * 45,
    "deep indents": '<div class="indent-8">' * 4 + f"<p>{'some words ' * 40}</p>" + "</div>" * 4,
    "indents in cells": table([[f'<p class="indent-8">{"some words " * 9}</p>'] * 6] * 2),
    "long headings": f"<h2>{GERMAN * 4}</h2><h3>https://example.org/{PATH * 3}</h3>",
    "long lines of code": f"<pre>{'x' * 200}\n{SEQUENCE * 5}</pre><p><code>{'abcdefgh' * 30}</code></p>",
    "captions": f"<table><caption>{'C' * 200}</caption><tr><td>a</td></tr></table>"
    f"<figure><figcaption>{PATH * 3}</figcaption></figure><dl><dt>{'T' * 150}</dt><dd>{'D' * 150}</dd></dl>",
    "right to left": f'<div dir="rtl"><p>{SEQUENCE * 4}</p>{table([[SEQUENCE] * 4])}</div>',
    "separators": "<p>a\u2029 b \u2029c\u2028d\x0be\x85f</p><ul>\u2029<li>g\u2029 h</li></ul><pre>i \u2029j</pre>"
    "<h2>k \u2029 l</h2><table>\u2028<caption>m \u2029 n</caption><tr>\u2029<td>o \u2029 p</td></tr></table>",
}


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_word_of_an_input_is_printed(path, tmp_path):
    assert_printed(path.read_text(encoding="utf-8"), tmp_path)


@pytest.mark.parametrize("text", MADE.values(), ids=MADE)
def test_every_word_of_a_hard_text_is_printed(text, tmp_path):
    assert_printed(text, tmp_path)


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_word_of_the_samples_is_printed(path, tmp_path):
    texts = texts_in(tomllib.loads(path.read_text(encoding="utf-8")))
    assert_printed("".join(text for text in texts if text.startswith("<")), tmp_path)


def texts_in(value):
    if isinstance(value, dict):
        for inner in value.values():
            yield from texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_in(inner)
    elif isinstance(value, str):
        yield value.strip()


def assert_printed(text, folder):
    pdf, rendered = printing.print_text(folder, text)
    stored = normalise_html(text).html
    written = words_of(unescape(re.sub(r"<[^>]*>", " ", stored)))
    printed = "".join(words_of(" ".join(printing.page_texts(pdf))))
    assert not Counter(letters("".join(written))) - Counter(letters(printed))
    assert [word for word in written if is_read_forwards(word) and word not in printed] == []
    assert printing.characters_off_the_page(pdf) == ""
    assert [warning for warning in rendered.warnings if warning.rule in LOSSES] == []


def words_of(text):
    """Return the words of a text without what may break them."""
    words = unicodedata.normalize("NFKC", text).split()
    return [shown for word in words if (shown := BROKEN.sub("", word))]


def letters(text):
    return filter(str.isalnum, text)


def is_read_forwards(word):
    """Return False for emoji, and for scripts that a PDF has from right to left, or in another order of signs."""
    if not any(map(str.isalnum, word)):
        return False
    is_forwards = all(unicodedata.bidirectional(sign) not in {"R", "AL", "AN", "NSM"} for sign in word)
    return is_forwards and all(unicodedata.category(sign) != "Mc" for sign in word)
