"""Rows from CSV files as people send them, and from files that were made to do harm."""

import contextlib
import csv
import io

import pytest
from hypothesis import given, strategies as st

from documents import exceptions
from documents.tasks.imports import limits, reader as import_reader
from tests.import_files import HEAD, KNOWN, reader, said


@pytest.fixture
def read(tmp_path):
    return reader(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_of_every_country_is_read(read, encoding, separator, end):
    lines = (KNOWN, ("SP-2026-012", '"Größe; Zahl, ""neu"""', "2026"))
    text = end.join(separator.join(line) for line in lines) + end
    head, [row] = read(text.encode(encoding))
    assert (head.names, head.problems) == (KNOWN, ())
    assert row.number == 2
    assert row.cells == {"tag": "SP-2026-012", "title": 'Größe; Zahl, "neu"', "year": "2026"}


def test_rows_keep_the_numbers_that_spreadsheets_show(read):
    _, rows = read('tag,title\n\nA,"two\nlines"\n,,\nB,one\n')
    assert [(row.number, row.cells) for row in rows] == [
        (3, {"tag": "A", "title": "two\nlines"}),
        (5, {"tag": "B", "title": "one"}),
    ]


def test_what_exports_have_defused_is_itself_again(read):
    _, [row] = read("tag,title\n'-1,'=1+1\n")
    assert row.cells == {"tag": "-1", "title": "=1+1"}
    _, [row] = read("tag,title\n'a,it's\n")
    assert row.cells == {"tag": "'a", "title": "it's"}


def test_an_empty_file_has_no_columns_and_no_rows(read):
    head, rows = read("")
    assert rows == []
    assert [column for column, _ in head.problems] == ["tag"]


@pytest.mark.parametrize(
    ("first", "column", "words"),
    [
        ("tag,titel", "titel", "columns are: tag, title, year"),
        ("title,year", "tag", "missing"),
        ("tag,tag", "tag", "twice"),
        ("tag,,year", "", "Column 2 has no name"),
        ("tag;tittle;x", "tittle", "columns are"),
    ],
)
def test_wrong_columns_are_named(read, first, column, words):
    head, _ = read(f"{first}\n")
    assert any(name == column and words in problem for name, problem in head.problems), head.problems


def test_titles_may_be_written_large(read):
    assert read(" Tag ,TITLE,Year,,\n")[0].problems == ()


def test_a_cell_without_a_column_is_bad(read):
    _, [row] = read("tag\nA,B\n")
    [(column, bad)] = row.bad
    assert (column, bad.value) == ("", "B")


def test_a_cell_that_is_too_long_is_bad(read):
    long = "x" * (limits.MAX_CELL_CHARACTERS + 1)
    _, [row] = read(f"tag,title\nA,{long}\n")
    assert [column for column, _ in row.bad] == ["title"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (HEAD.encode() + b"A,Gr\xf6\xdfe,1\n", "CSV UTF-8"),
        (HEAD.encode() + b"A,B\x00,1\n", "NUL"),
        (HEAD.encode("utf-16")[:-1], "UTF-8"),
        (HEAD + 'A,"B"C,1\n', "Row 2 cannot be read"),
        (HEAD + 'A,"never closed\n', "Row 2 cannot be read"),
        (HEAD + 'A,"' + "never closed\n" * 200_000, "Row 2 cannot be read"),
        (HEAD + ",".join("x" * 1_000_000), "1,000,000 columns"),
        ("x" * 100_000_000, "more than 4,000,000 characters"),
        (HEAD + '"\n",' * 2_000_000, "more than 4,000,000 characters"),
        (HEAD + "A\n" * (limits.MAX_ROWS + 1), "more than 50,000 rows"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 600, "without a password"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "CSV UTF-8"),
    ],
    ids=lambda value: None if isinstance(value, str) and len(value) < 40 else "file",
)
def test_hostile_csv_is_refused_in_words(read, content, words):
    assert words in said(read, content)


@given(
    rows=st.lists(
        st.lists(
            st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20), min_size=1, max_size=3
        ),
        max_size=8,
    ),
    separator=st.sampled_from(",;\t"),
)
def test_whatever_is_written_as_csv_is_read_again(tmp_path_factory, rows, separator):
    stream = io.StringIO()
    csv.writer(stream, delimiter=separator).writerows([KNOWN, *rows])
    path = tmp_path_factory.mktemp("csv") / "source"
    path.write_text(stream.getvalue(), newline="")
    _, read_rows = import_reader.read_table(path, columns=KNOWN, required=())
    expected_rows = [
        {name: cell for name, cell in zip(KNOWN, row, strict=False) if cell.strip()}
        for row in rows
        if any(cell.strip() for cell in row)
    ]
    assert [{name: cell.removeprefix("'") for name, cell in row.cells.items()} for row in read_rows] == [
        {name: cell.removeprefix("'") for name, cell in row.items()} for row in expected_rows
    ]


@given(content=st.binary(max_size=300))
def test_any_bytes_are_rows_or_unreadable(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("bytes") / "source"
    path.write_bytes(content)
    with contextlib.suppress(exceptions.ImportUnreadable):
        _, rows = import_reader.read_table(path, columns=KNOWN, required=())
        assert all(row.number for row in rows)
