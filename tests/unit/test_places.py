"""The place that a warning is about is marked in the text, and the text stays what it was."""

import html
import re

import pytest
from hypothesis import given, strategies

from documents.content import places

MARK = '<mark class="place" id="place">'


def marked(text, **what):
    shown, is_found = places.mark(text, **what)
    assert is_found
    return shown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<p>One two\n three</p>", "two three"),
        ("<p>a &amp; b &lt;c&gt;</p>", "b <c>"),
        ("<p>A long line of words</p>", "A long li…"),
    ],
)
def test_words_are_marked_where_they_stand(text, words):
    shown = marked(text, words=words)
    said = html.unescape(re.findall(r"<mark[^>]*>(.*?)</mark>", shown)[0])
    assert said == words.removesuffix("…")
    plain = html.unescape(re.sub(r"<[^>]*>", "", shown))
    assert plain.split() == html.unescape(re.sub(r"<[^>]*>", "", text)).split()


@pytest.mark.parametrize(
    ("rule", "bad", "good"),
    [
        ("image-missing", '<img alt="Map" title="map.png">', '<img src="/a" alt="Map">'),
        ("image-without-alternative", '<img src="/a" alt="">', '<img src="/a" alt="Map">'),
        ("table-without-header", "<table><tr><td>1</td></tr></table>", "<table><tr><th>1</th></tr></table>"),
    ],
)
def test_elements_of_a_rule_are_marked_and_others_are_not(rule, bad, good):
    assert marked(f"{good}<p>x</p>{bad}{bad}", rule=rule) == (
        f'{good}<p>x</p>{MARK}Here:</mark> {bad}<mark class="place">Here:</mark> {bad}'
    )
    assert places.mark(good, rule=rule) == (good, False)


def test_of_several_missing_images_the_named_one_is_marked():
    first, second = '<img alt="" title="a.png">', '<img alt="" title="b.png">'
    shown = marked(f"<p>b.png follows</p>{first}{second}", rule="image-missing", words="b.png")
    assert shown == f"<p>b.png follows</p>{first}{MARK}Here:</mark> {second}"


def test_ids_and_styles_are_those_of_the_page():
    shown, is_found = places.mark(
        '<p id="main" style="text-align:right" lang="de">x</p>', rule="no-such-rule"
    )
    assert (shown, is_found) == ('<p lang="de">x</p>', False)


@given(strategies.text(), strategies.text())
def test_no_words_become_markup(text, words):
    shown, _ = places.mark(f"<p>{html.escape(text)}</p>", words=words)
    assert set(re.findall(r"<[^>]*>", shown)) <= {"<p>", "</p>", MARK, "</mark>"}
