"""The XLSX of exports: shared strings as spreadsheets write them, any text, constant memory, closed where it fails."""

import gc
import re
import subprocess
import sys
import zipfile

import openpyxl
import pytest
from hypothesis import given, strategies as st

from documents.infrastructure import spreadsheets
from documents.tasks.exports import xlsx_file

NAMES = ("tag", "title", "year")


def sheet_of(path, rows, names=NAMES):
    with xlsx_file.write_sheet(path, names, lambda: None) as add_row:
        for row in rows:
            add_row(row)
    return path


def parts_of(path):
    with zipfile.ZipFile(path) as package:
        assert package.testzip() is None
        return {name: package.read(name).decode() for name in package.namelist()}


def read(path):
    [sheet] = openpyxl.load_workbook(path).worksheets
    return [tuple(cell.value for cell in row) for row in sheet.iter_rows()]


def test_texts_are_shared_strings_and_numbers_are_numbers(tmp_path):
    path = sheet_of(tmp_path / "x.xlsx", [("A", "Reefs & <b>", 2026), ("B", "", 2025), ("B", " x\n", 2025)])
    assert read(path) == [NAMES, ("A", "Reefs & <b>", 2026), ("B", None, 2025), ("B", " x\n", 2025)]
    parts = parts_of(path)
    assert "inlineStr" not in parts[xlsx_file.SHEET]
    assert [*re.findall(r'<c r="(\w+)" t="s">', parts[xlsx_file.SHEET])] == [
        *("A1", "B1", "C1", "A2", "B2", "A3", "A4", "B4")
    ]
    assert parts[xlsx_file.STRINGS].count("<si>") == 3 + 4  # “B” is written once
    assert "sharedStrings" in parts["[Content_Types].xml"]


@pytest.mark.parametrize("names", [("tag",), NAMES, tuple(f"c{number}" for number in range(30))])
def test_a_sheet_without_rows_has_the_names_of_its_columns(tmp_path, names):
    assert read(sheet_of(tmp_path / "x.xlsx", [], names)) == [names]


def test_a_repeated_string_is_written_once_until_too_many_are_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr(xlsx_file, "MAX_REPEATED_STRINGS", 1)
    rows = [("A", "first", 1), ("A", "first", 2)]
    path = sheet_of(tmp_path / "x.xlsx", rows)
    assert read(path)[1:] == rows
    assert parts_of(path)[xlsx_file.STRINGS].count('<t xml:space="preserve">first') == 2


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5))
def test_any_text_is_in_the_strings_as_the_standard_escapes_it(tmp_path_factory, texts):
    path = sheet_of(tmp_path_factory.mktemp("x") / "x.xlsx", [(text,) for text in texts], ["a"])
    tree = openpyxl.xml.functions.fromstring(parts_of(path)[xlsx_file.STRINGS].encode())
    strings = [
        spreadsheets.unescape_characters(node.text or "") for node in tree.iter() if node.tag.endswith("}t")
    ]
    assert strings == ["a", *dict.fromkeys(filter(None, texts))]


@given(st.text())
def test_escapes_of_characters_are_undone(text):
    escaped = spreadsheets.escape_characters(text)
    assert not re.search("[\x00-\x08\x0b-\x1f\ufffe\uffff]", escaped)
    expected = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert spreadsheets.unescape_characters(escaped) in {text, expected}


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        ("a_x000D_\n", "a\r\n"),
        ("_x0041_", "A"),
        ("_x005F_x000D_", "_x000D_"),
        ("_x005F_x005F_x0041_", "_x005FA"),
        ("_xD83D__xDE00_", "😀"),
        ("_xD83D_", "\ufffd"),
        ("_x00e9_ _X0041_ _x41_", "é _X0041_ _x41_"),
        ("_x0009__x000A_", "\t\n"),
    ],
)
def test_escapes_of_other_programs_are_undone(escaped, text):
    assert spreadsheets.unescape_characters(escaped) == text


MEASURE = """
import pathlib, resource, sys
from documents.tasks.exports import xlsx_file
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with xlsx_file.write_sheet(pathlib.Path(sys.argv[1]), ("a", "b"), lambda: None) as add_row:
    for number in range(int(sys.argv[2])):
        add_row((f"row {number}", f"{number} " + "text " * 200))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_its_memory_does_not_grow_with_its_rows(tmp_path):
    def kilobytes(rows):
        command = [sys.executable, "-c", MEASURE, str(tmp_path / "x.xlsx"), str(rows)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert kilobytes(60_000) - kilobytes(20_000) < 2000


@pytest.mark.parametrize("rows", [0, 1, 40_000])
def test_a_failure_in_the_middle_leaves_nothing_open(tmp_path, monkeypatch, rows):
    failures: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", failures.append)

    def fail():
        with xlsx_file.write_sheet(tmp_path / "x.xlsx", NAMES, lambda: None) as add_row:
            for number in range(rows):
                add_row((str(number), "x", number))
            raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        fail()
    gc.collect()
    assert failures == []
