"""Hostile texts are as harmless after normalising as after the sanitiser alone, and cost time in proportion."""

import contextlib
import sys
import time
import tracemalloc

import pytest
from django.core.exceptions import ValidationError

from documents.content.normalising import normalise_html

IMAGE = "/api/v1/images/0b1c9bb4-5d0a-4c8b-9e8d-0a1b2c3d4e5f/"


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<style>p{color:red}</style>",
        "<style><!-- <script>alert(1)</script> --></style>",
        "<iframe src='file:///etc/passwd'></iframe>",
        "<iframe src='javascript:alert(1)'></iframe>",
        "<object data='file:///etc/passwd'></object>",
        "<embed src='javascript:alert(1)'>",
        "<link rel=attachment href='file:///etc/passwd'>",
        "<base href='file:///'>",
        "<svg><use href='#a' id='a'/><script>alert(1)</script></svg>",
        "<math><annotation-xml encoding='text/html'><script>alert(1)</script></annotation-xml></math>",
        "<!-- comment -->",
        "<!--[if gte mso 9]><xml><script>alert(1)</script></xml><![endif]-->",
        "<!--[if IE]><iframe src='file:///etc/passwd'></iframe><![endif]-->",
        "<template><script>alert(1)</script></template>",
        "<noscript><img src=x onerror=alert(1)></noscript>",
        "<xml><o:p><script>alert(1)</script></o:p></xml>",
    ],
)
def test_nothing_of_it_is_kept(hostile):
    assert normalise_html(f"<p>before</p>{hostile}<p>after</p>").html == "<p>before</p><p>after</p>"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("<p onclick='x()'>a</p>", "<p>a</p>"),
        ("<o:p onclick='x()'><b onmouseover=x()>a</b></o:p>", "<b>a</b>"),
        ("<![if !supportLists]><script>x</script><![endif]>a", "a"),
        ("<a href='javascript:x()'>a</a>", "a"),
        ("<a href=' java\nscript:x()'>a</a>", "a"),
        ("<a href='data:text/html,x'>a</a>", "a"),
        ("<a rel='attachment' href='file:///etc/passwd'>a</a>", "a"),
        ("<p style='position:fixed;text-align:right'>a</p>", '<p style="text-align:right">a</p>'),
        ("<p style='background:url(file:///etc/passwd)'>a</p>", "<p>a</p>"),
        ("<p class='cover masthead'>a</p>", "<p>a</p>"),
        ("<ol type='url(x)' start='9999999999'><li value='1e9'>a</li></ol>", "<ol><li>a</li></ol>"),
        ("<img src='http://127.0.0.1:80/x.png' alt='a'>", '<img alt="a" title="x.png">'),
        (f"<img src='https://spms.example.org{IMAGE}'>", f'<img src="{IMAGE}" alt="">'),
        ("<v:imagedata src='file:///etc/passwd'>", '<img alt="" title="passwd">'),
        ("<iframe src='https://example.org/\"><script>x</script>'></iframe>", None),
        ("<p id='x\" onclick=\"y'>a</p><a href='#x\" onclick=\"y'>b</a>", None),
        ("<oembed url='javascript:x()'></oembed>a", "a"),
        ("<math><mi>&lt;script&gt;</mi></math>", "&lt;script&gt;"),
        ("<span data-latex='<script>x</script>'></span>", "&lt;script&gt;x&lt;/script&gt;"),
        ("<input value='<script>x</script>'>", "&lt;script&gt;x&lt;/script&gt;"),
        ("a\0b\ud800", "ab?"),
    ],
)
def test_only_harmless_attributes_and_characters_are_kept(sent, kept):
    html = normalise_html(sent).html
    assert kept is None or html == kept
    assert "<script" not in html
    assert " onclick=" not in html
    assert "javascript:" not in html


@pytest.mark.parametrize(
    ("html", "message"),
    [
        ("<div>" * 51, "deep"),
        ("<div>" * 5_000, "deep"),
        ("<span style='color:red'>" * 400, "deep"),
        ("<ul><li>x" * 60, "deep"),
        ("<table>" + "<tr><td>x</td></tr>" * 20_000, "rows"),
        ("<table><tr><td colspan='1000000'>x</td></tr></table>", "colspan"),
        ("x" * 5_000_000, "characters"),
        ("<p>" + "".join(f"<b a={number}>" for number in range(90)) + "<p>x" * 100_000, "open"),
    ],
    ids=lambda value: value[:20],
)
def test_what_cannot_be_laid_out_is_refused_with_the_bound(html, message):
    with pytest.raises(ValidationError, match=message):
        normalise_html(html)


# Places of numbers in what editors send; each is read by a rule of its own.
WORD_ITEM = "<p style='mso-list:l0 level1 lfo1'>a</p>"
NUMBER_PLACES = (
    "<style>@list l0:level{} {{mso-level-number-format:decimal}}</style>" + WORD_ITEM,
    "<style>@list l0:level1 {{mso-level-number-format:decimal;mso-level-start-at:{}}}</style>" + WORD_ITEM,
    "<p style='mso-list:l0 level{} lfo1'><span style='mso-list:Ignore'>·</span>a</p>",
    "<p class=MsoListParagraph style='margin-left:{}pt;text-indent:-18pt'>1.&nbsp; a</p>",
    "<p style='margin-left:{}px'>a</p>",
    "<p style='padding-inline-start:calc({} * var(--x, 40px))'>a</p>",
    "<ul><li data-listid=1 data-aria-level={}>a</li></ul>",
    "<ol start={}><li data-listid=1 data-aria-level=1>a</li></ol>",
    "<ol start={}><li>a</li></ol>",
    "<ol><li value={}>a</li></ol>",
    "<ol><li>a</li><li class=ql-indent-{} data-list=ordered>b</li></ol>",
    "<ul class=lst-kix_a-{}><li>a</li></ul>",
    "<table><tr><td rowspan={}>a</td><td>b</td></tr><tr><td>c</td></tr></table>",
    "<table><tr><td width='{}%'>a</td><td width='50%'>b</td></tr></table>",
    "<table><tr><td style='width:{}px'>a</td><td style='width:5px'>b</td></tr></table>",
    "<p><span style='font-weight:{}'>a</span></p>",
    "<p><span style='font-size:{}pt'>a</span></p>",
    "<p><span style='background:rgb({},255,0)'>a</span></p>",
    "<p><span style='color:rgba(255,0,0,{})'>a</span></p>",
)


@pytest.mark.parametrize(
    "number", ["9" * 400, "9" * 5_000, "." * 3, "1.2.3", "-", "x"], ids=lambda number: number[:5]
)
@pytest.mark.parametrize("place", NUMBER_PLACES)
def test_a_number_of_any_length_or_none_in_its_place_is_no_fault(place, number):
    with contextlib.suppress(ValidationError):
        assert "a" in normalise_html(place.format(number)).html


@pytest.mark.parametrize("digits", ["\u0663", "\uff11\uff12", "\u0967", "\u00b2"])
@pytest.mark.parametrize("place", NUMBER_PLACES)
def test_digits_of_other_scripts_are_not_read_as_numbers(place, digits):
    def html_with(value):
        try:
            return normalise_html(place.format(value)).html
        except ValidationError as error:
            return str(error)

    assert html_with(digits) == html_with("x")


@pytest.mark.parametrize("marker", ["\u0663.", "\uff11\uff12)", "\u0967.\u0968."])
def test_a_marker_in_other_digits_stays_as_it_was_written(marker):
    sent = f"<p style='mso-list:l0 level1 lfo1'><span style='mso-list:Ignore'>{marker}</span>Text</p>"
    assert marker in normalise_html(sent).html


def word_list(count):
    """Return a list of Word with items of nine levels in turn."""
    item = (
        "<p class=MsoListParagraphCxSpMiddle style='margin-left:72.0pt;text-indent:-18.0pt;"
        "mso-list:l0 level{} lfo1'><![if !supportLists]><span style='font-family:Symbol'>"
        "<span style='mso-list:Ignore'>·<span style='font:7.0pt \"Times New Roman\"'>&nbsp;&nbsp; </span>"
        "</span></span><![endif]>Item<o:p></o:p></p>\n"
    )
    return "".join(item.format(number % 9 + 1) for number in range(count))


LARGE = {
    "Word's lists": word_list,
    "styled spans": lambda count: "<p>" + "<span style='font-weight:700'>x</span>" * 10 * count + "</p>",
    "mixed spans": lambda count: "<p>" + "<i style='color:red'>x </i><b>y </b>" * 3 * count,
    "flat lists of Quill": lambda count: "<ol>" + "<li data-list=bullet class=ql-indent-1>x</li>" * 3 * count,
    "lists without an end": lambda count: "<ul>" + "<li>x<ul><li>y</ul>" * count,
    "lists of Lexical": lambda count: "<ul>" + "<li><ul><li>y</li></ul></li>" * count,
    "links inside the text": lambda count: "".join(
        f"<a href=#a{n}>x </a><a id=a{n}>y </a>" for n in range(count)
    ),
    "lists of Word with many ids": lambda count: "".join(
        f"<p style='mso-list:l{number} level1 lfo{number}'>x</p>" for number in range(count)
    ),
    "missing images": lambda count: "".join(f"<img src=file:///{number}.png>" for number in range(count)),
    "tables": lambda count: (
        ("<table>" + "<tr><td><b>x</b></td><td>y</td></tr>" * 10 + "</table>") * (count // 10)
    ),
}


def cost(html):
    """Return how many functions of ours and of Python are called."""
    calls = 0

    def count(_frame, event, _argument):
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        normalise_html(html)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("name", LARGE)
def test_twice_as_much_text_takes_twice_as_many_calls(name):
    normalise_html(LARGE[name](100))  # fills the caches
    once, twice = cost(LARGE[name](500)), cost(LARGE[name](1_000))
    assert twice < 2.3 * once


@pytest.mark.parametrize("name", LARGE)
def test_twice_as_much_text_takes_no_more_than_about_twice_as_long(name):
    def fastest(html):
        seconds = []
        for _ in range(3):
            started = time.process_time()
            normalise_html(html)
            seconds.append(time.process_time() - started)
        return min(seconds)

    assert fastest(LARGE[name](2_000)) < 6 * fastest(LARGE[name](1_000)) + 0.05


def test_a_megabyte_of_nested_lists_fits_into_a_hundred_megabytes():
    html = word_list(2_500)
    tracemalloc.start()
    try:
        normalise_html(html)
        assert tracemalloc.get_traced_memory()[1] < 100 * 1024**2
    finally:
        tracemalloc.stop()
