"""Authors' texts are mended for screen readers, and what only they can mend is said."""

from xml.etree.ElementTree import fromstring, tostring

import pytest

from documents.rendering import structure_repairs
from documents.task_warnings import TaskWarning

HEAD = '<h2 class="section-title">Aims</h2>'


def repaired(text, head=HEAD):
    root = fromstring(f'<body>{head}<div class="text">{text}</div></body>')
    missing = structure_repairs.repair(root)
    return root, missing.warnings()


def levels(text, head=HEAD):
    root, _ = repaired(text, head)
    return [
        element.get("data-level")
        for element in root.find("div").iter()
        if element.tag in structure_repairs.AUTHORS_HEADINGS
    ]


def rows(text):
    """Return the rows of the first table, each as the names and spans of its cells."""
    root, _ = repaired(text)
    return [
        [
            cell.tag
            + "".join(
                f" {name}={cell.get(name)}" for name in ("colspan", "rowspan", "scope") if cell.get(name)
            )
            for cell in row
        ]
        for row in root.iter("tr")
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<h2>A</h2><h4>B</h4><h3>C</h3>", ["3", "4", "4"]),
        ("<h5>A</h5><h2>B</h2><h3>C</h3>", ["3", "3", "4"]),
        ("<h2>A</h2><h3> </h3><h4>B</h4>", ["3", None, "4"]),
        ('<h3><img src="x" alt="Bay"/></h3>', ["3"]),
    ],
)
def test_heading_levels_follow_those_of_the_document_and_never_skip(text, expected):
    assert levels(text) == expected


def test_the_sections_of_a_chapter_are_deeper_and_never_below_six():
    assert levels("<h2>A</h2><h3>B</h3><h4>C</h4>", '<h4 class="chapter-section">Aims</h4>') == [
        "5",
        "6",
        "6",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "<table><tr><th>A</th><th>B</th></tr><tr><td>1</td></tr></table>",
            [["th scope=col", "th scope=col"], ["td", "td"]],
        ),
        (
            '<table><tr><th rowspan="9">A</th><td>1</td></tr><tr><td colspan="3">2</td></tr></table>',
            [["th rowspan=2 scope=row", "td", "td", "td"], ["td colspan=3"]],
        ),
        (
            '<table><tr><th>A</th><td rowspan="2">1</td></tr><tr><td colspan="2">2</td></tr></table>',
            [["th scope=row", "td rowspan=2"], ["td colspan=1"]],
        ),
        (
            "<table><thead><tr><th/><th>A</th></tr></thead><tbody><tr><th>B</th><td>1</td></tr></tbody></table>",
            [["th scope=col", "th scope=col"], ["th scope=row", "td"]],
        ),
    ],
)
def test_rows_are_as_long_as_each_other_and_headers_have_a_scope(text, expected):
    assert rows(text) == expected


def test_a_table_without_a_header_is_reported_with_its_number():
    plain = "<table><tr><td>A</td><td>B</td></tr><tr><td>1</td><td>2</td></tr></table>"
    headed = "<table><tr><th>A</th></tr><tr><td>1</td></tr></table>"
    _, [warning] = repaired(headed + plain)
    assert warning == TaskWarning(
        section="Aims",
        rule="table-without-header",
        text="In “Aims”, table 2 has no header row, so a screen reader cannot name its columns.",
    )


def test_tables_and_images_of_a_section_have_one_warning_and_many_sections_one_more():
    plain = "<table><tr><td>A</td><td>B</td></tr><tr><td>1</td><td>2</td></tr></table>"
    parts = (f'<h2 class="section-title">{number}</h2>{plain * 3}' for number in range(13))
    _, warnings = repaired("".join(parts), head="")
    assert len(warnings) == 11
    assert warnings[0].text.startswith("In “0”, tables 1, 2 and 3 have no header row")
    assert warnings[-1].text.startswith("In 3 other sections, tables have no header row")


@pytest.mark.parametrize(
    "table", ["<table><tr><td>A</td></tr></table>", "<table><tr><td>A</td><td>B</td></tr></table>"]
)
def test_a_table_that_only_arranges_blocks_is_none(table):
    root, warnings = repaired(table)
    assert warnings == ()
    assert b"<table data-layout" in tostring(root)


def test_an_image_without_a_text_is_reported():
    _, [warning] = repaired('<img src="x" alt="A bay"/><img src="y" alt=" "/>')
    assert (warning.rule, warning.section) == ("image-without-alternative", "Aims")
    assert "image 2 has neither an alternative text nor a caption" in warning.text


def test_a_link_without_content_is_none():
    root, _ = repaired('<a href="https://example.org"> </a><a href="https://example.org">x</a>')
    assert [link.get("href") for link in root.iter("a")] == [None, "https://example.org"]
