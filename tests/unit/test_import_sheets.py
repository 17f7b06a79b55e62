"""Rows from XLSX files as programs write them, and from files that were made to do harm."""

import contextlib
import io
import random
import re
import subprocess
import sys
import zipfile

import openpyxl
import pytest
import xlsxwriter
from hypothesis import given, settings, strategies as st

from documents import exceptions
from documents.tasks.imports import reader as import_reader
from documents.tasks.imports.xlsx_reader import MAX_STRINGS_MARKS
from tests.import_files import HEAD, KNOWN, reader, said


@pytest.fixture
def read(tmp_path):
    return reader(tmp_path)


def sheet(rows, **options):
    """Return a workbook as programs write it."""
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"strings_to_formulas": False, **options}) as book:
        page = book.add_worksheet()
        for number, row in enumerate(rows):
            for column, value in enumerate(row):
                page.write(number, column, value)
    return stream.getvalue()


def package(book, **parts):
    """Return a workbook with parts replaced or added; a slash is written as ``__``, a dot as ``_dot_``."""
    parts = {name.replace("__", "/").replace("_dot_", "."): content for name, content in parts.items()}
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(book)) as source,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            target.writestr(name, parts.pop(name, source.read(name)))
        for name, content in parts.items():
            target.writestr(name, content)
    return stream.getvalue()


def worksheet(body, before=""):
    namespace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'<?xml version="1.0"?>{before}<worksheet xmlns="{namespace}"><sheetData>{body}</sheetData></worksheet>'


BOOK = sheet([KNOWN, ("SP-2026-012", "Seagrass", 2026)])
FIRST = "xl__worksheets__sheet1_dot_xml"
TITLES = '<row r="1"><c r="A1" t="inlineStr"><is><t>tag</t></is></c></row>'


def test_a_workbook_is_read_with_numbers_and_texts(read):
    head, [row] = read(sheet([KNOWN, ("SP-2026-012", "A <b>title</b> & more", 2026.0)]))
    assert head.problems == ()
    assert row.cells == {"tag": "SP-2026-012", "title": "A <b>title</b> & more", "year": "2026"}


def test_only_the_first_visible_sheet_is_read(read):
    book = openpyxl.Workbook()
    [hidden] = book.worksheets
    hidden.append(["secret"])
    hidden.sheet_state = "hidden"
    book.create_sheet("Data").append(["tag"])
    book.create_sheet("Notes").append(["other"])
    stream = io.BytesIO()
    book.save(stream)
    assert read(stream.getvalue())[0].names == ("tag",)


def test_formulas_dates_and_errors_are_bad_cells(read):
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, KNOWN)
        page.write_formula(1, 0, "=1+1", None, 2)
        page.write_number(1, 1, 45000, book.add_format({"num_format": "yyyy-mm-dd"}))
        page.write_formula(1, 2, '=WEBSERVICE("http://127.0.0.1/")')
    _, [row] = read(stream.getvalue())
    assert [(column, bad.reason.split(".")[0]) for column, bad in row.bad] == [
        ("tag", "It is a formula"),
        ("title", "It is a date"),
        ("year", "It is a formula"),
    ]


def test_wrong_dimensions_and_gaps_cost_nothing(read):
    body = TITLES + '<row r="40000"><c r="A40000" t="inlineStr"><is><t>X</t></is></c></row>'
    _, [row] = read(
        package(
            BOOK,
            **{FIRST: worksheet(body).replace("<sheetData>", '<dimension ref="A1:XFD1048576"/><sheetData>')},
        )
    )
    assert (row.number, row.cells) == (40_000, {"tag": "X"})
    far = TITLES + '<row r="999999999"><c t="inlineStr"><is><t>X</t></is></c></row>'
    assert "50,000 rows" in said(read, package(BOOK, **{FIRST: worksheet(far)}))


@pytest.mark.parametrize("name", ["xl__vbaProject_dot_bin", "xl__macrosheets__sheet1_dot_xml"])
def test_macros_are_refused(read, name):
    assert "macros" in said(read, package(BOOK, **{name: b"x"}))


def test_links_to_other_files_are_refused_and_not_followed(read):
    link = '<externalLink><externalBook r:id="rId1"/></externalLink>'
    assert "links to other files" in said(read, package(BOOK, xl__externalLinks__externalLink1_dot_xml=link))


LAUGHS = (
    "<!DOCTYPE x [<!ENTITY a 'ha'>"
    + "".join(f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 10}'>" for n in range(9))
    + "]>"
)
FILE = "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>"
CELL = '<row r="2"><c r="A2" t="inlineStr"><is><t>{}</t></is></c></row>'


@pytest.mark.parametrize(
    "parts",
    [
        {FIRST: worksheet(CELL.format("&j;"), LAUGHS)},
        {FIRST: worksheet(CELL.format("&a;"), FILE)},
        {FIRST: worksheet("<row>")[:-20]},
        {FIRST: worksheet('<row r="x"/>')},
        {FIRST: worksheet('<row r="1"><c r="A1" t="s"><v>99999</v></c></row>')},
        {FIRST: worksheet('<row r="1"><c r="A1"><v>' + "9" * 5000 + "</v></c></row>")},
        {FIRST: b"\x00\xff" * 100},
        {"xl__workbook_dot_xml": b"<workbook/>"},
        {"xl__styles_dot_xml": b"<styleSheet>"},
        {"[Content_Types]_dot_xml": b"<Types/>"},
        {"xl___rels__workbook_dot_xml_dot_rels": b"<Relationships/>"},
    ],
)
def test_hostile_xml_is_refused(read, parts):
    assert re.search("damaged|no visible sheet", said(read, package(BOOK, **parts)))


def test_entities_outside_of_the_sheet_stay_what_they_are(read):
    for part in ("xl__workbook_dot_xml", "xl__styles_dot_xml"):
        name = part.replace("__", "/").replace("_dot_", ".")
        with zipfile.ZipFile(io.BytesIO(BOOK)) as archive:
            xml = archive.read(name).decode()
        begin, _, rest = xml.partition("?>")
        with_laughs = f"{begin}?>{LAUGHS.replace('x [', 'styleSheet [')}{rest}"
        with contextlib.suppress(exceptions.ImportUnreadable):
            assert "haha" not in str(read(package(BOOK, **{part: with_laughs})))


def test_a_password_and_unusual_packing_are_refused(read):
    locked = bytearray(BOOK)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = -1
        while (start := locked.find(mark, start + 1)) >= 0:
            locked[start + offset] |= 1
    assert "password" in said(read, bytes(locked))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("xl/workbook.xml", "x" * 1000)
    assert "damaged" in said(read, stream.getvalue())


# A negative length leaves bytes off the end: the length of BOOK depends on the time written in it,
# and a test's id must be the same in every process that collects it.
@pytest.mark.parametrize("cut", [5, 100, 1000, -10])
def test_half_a_workbook_is_damaged(read, cut):
    assert "damaged" in said(read, BOOK[:cut])


def test_an_encoding_that_there_is_not_is_damage(read):
    page = worksheet(TITLES).replace('"1.0"', '"1.0" encoding="TF-8"')
    assert "damaged" in said(read, package(BOOK, **{FIRST: page}))


@given(data=st.data())
@settings(max_examples=150)
def test_a_workbook_with_any_bytes_changed_is_read_or_refused(tmp_path_factory, data):
    parts = {}
    with zipfile.ZipFile(io.BytesIO(BOOK)) as archive:
        name = data.draw(
            st.sampled_from([member for member in archive.namelist() if "docProps" not in member])
        )
        content = bytearray(archive.read(name))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    parts[name] = bytes(content)
    path = tmp_path_factory.mktemp("fuzz") / "source"
    path.write_bytes(package(BOOK, **parts))
    with contextlib.suppress(exceptions.ImportUnreadable):
        _, rows = import_reader.read_table(path, columns=KNOWN, required=())
        assert all(row.number for row in rows)


# Bombs, in a process of their own so that its memory can be told.

MEASURE = """
import pathlib, resource, sys, time
import django
django.setup()
from documents import exceptions
from documents.tasks.imports import reader
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
started = time.process_time()
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
try:
    head, rows = reader.read_table(pathlib.Path(sys.argv[1]), columns=("tag", "title", "year"), required=("tag",))
    print(sum(1 for _ in rows), "rows")
except exceptions.ImportUnreadable as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, time.process_time() - started)
"""
STRINGS = "xl__sharedStrings_dot_xml"


def strings(body):
    return f'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{body}</sst>'


def noise(size):
    """Return letters that do not pack well, so that the ratio is that of a real file."""
    return "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=size))


MAX_COMPUTING_SECONDS = 60
STRINGS_SHARE = 0.26  # of the strings that may be there, and so of the memory that they may take


def empty_strings():
    body = "<si/>" * int(STRINGS_SHARE * MAX_STRINGS_MARKS * 0.95) + noise(260_000)
    return package(BOOK, **{STRINGS: strings(body)})


def long_string():
    return strings("<si><t>" + "x" * 60_000_000 + noise(700_000) + "</t></si>")


def attributes():
    return " ".join(f'a{number}="0"' for number in range(2_000_000))


BOMBS = {
    "a part that unpacks to 300 MB": (
        lambda: package(BOOK, xl__media__x_dot_png=bytes(300_000_000)),
        "Unpacked",
    ),
    "empty cells": (
        lambda: package(BOOK, **{FIRST: worksheet(f"<row>{'<c/>' * 20_000_000}</row>")}),
        "Unpacked",
    ),
    "empty rows": (
        lambda: package(BOOK, **{FIRST: worksheet("<row/>" * 10_000_000 + f"<!--{noise(600_000)}-->")}),
        "50,000 rows",
    ),
    "attributes": (lambda: package(BOOK, **{FIRST: worksheet(f"<row {attributes()}/>")}), "Unpacked"),
    "empty strings": (empty_strings, "0 rows"),
    "one long string": (lambda: package(BOOK, **{STRINGS: long_string()}), ""),
    "deep elements": (lambda: package(BOOK, **{FIRST: worksheet("<a>" * 1_000_000)}), "Unpacked"),
    "columns of CSV": (f"{HEAD}{'ab,' * 1_300_000}".encode, "columns"),
    "a line of 30 MB": (lambda: b"x" * 30_000_000, "characters"),
}


def test_one_long_text_in_very_many_cells_is_refused(read):
    text = strings(f"<si><t>tag</t></si><si><t>{'x' * 900_000}</t></si>")
    rows = "".join(f'<row r="{row}"><c r="A{row}" t="s"><v>1</v></c></row>' for row in range(2, 400))
    page = worksheet(f'<row r="1"><c r="A1" t="s"><v>0</v></c></row>{rows}')
    assert "256,000,000 characters" in said(read, package(BOOK, **{STRINGS: text, FIRST: page}))
    wide = "".join('<c t="s"><v>1</v></c>' for _ in range(5))
    assert "Row 2 has" in said(
        read, package(BOOK, **{STRINGS: text, FIRST: worksheet(f"<row/><row>{wide}</row>")})
    )


@pytest.mark.parametrize(("make", "words"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_takes_little_memory_and_time(tmp_path, make, words):
    path = tmp_path / "bomb"
    path.write_bytes(make())
    command = [sys.executable, "-c", MEASURE, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    answer, figures = done.stdout.splitlines()
    kilobytes, seconds = map(float, figures.split())
    assert words in answer
    share = STRINGS_SHARE if make is empty_strings else 1
    assert kilobytes < 200_000 * share, (answer, kilobytes)
    assert seconds < MAX_COMPUTING_SECONDS, (answer, seconds)
