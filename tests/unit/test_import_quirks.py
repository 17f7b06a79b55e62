"""What spreadsheets do to files: escapes, Strict Open XML, hidden rows, marks and lines before the header."""

import io
import zipfile

import openpyxl
import pytest
import xlsxwriter

from tests.import_files import KNOWN, reader

HEAD = "tag,title,year\n"
ROW = "SP-2026-012,Möwe,2026\n"
CELLS = {"tag": "SP-2026-012", "title": "Möwe", "year": "2026"}


@pytest.fixture
def read(tmp_path):
    return reader(tmp_path)


@pytest.mark.parametrize("marks", [1, 2, 3])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("line", ["", "sep={0}\n", "SEP={0}\r\n", '"sep={0}"\n', "sep={0}\r", "sep={0},,\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_marks_and_a_line_for_excel_are_skipped(read, marks, encoding, line, delimiter):
    if delimiter == "|" and not line:
        pytest.skip("a bar is a delimiter only where the file says so")
    table = (HEAD + ROW).replace(",", delimiter)
    head, [row] = read(("\ufeff" * marks + line.format(delimiter) + table).encode(encoding))
    assert (head.number, head.names, head.problems) == (1, KNOWN, ())
    assert (row.number, row.cells) == (2, CELLS)


def test_a_column_may_be_named_like_a_line_for_excel(read):
    head, _ = read("tag,sep=\n")
    assert [column for column, _ in head.problems] == ["sep="]


def test_names_of_columns_may_have_any_spaces(read):
    head, [row] = read("\u00a0Tag\u00a0,\u200btitle,year\u2009\n" + ROW)
    assert (head.problems, row.cells) == ((), CELLS)


def workbook(fill):
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        page = book.add_worksheet("Data")
        page.write_row(0, 0, KNOWN)
        page.write_row(1, 0, ("SP-2026-012", "Möwe", 2026))
        fill(book, page)
    return stream.getvalue()


def rewritten(content, change):
    """Return a workbook with each part changed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(stream, "w") as target:
        for name in source.namelist():
            target.writestr(name, change(name, source.read(name)))
    return stream.getvalue()


def test_hidden_rows_are_read_and_named(read):
    def fill(_, page):
        page.write_row(2, 0, ("SP-2026-013", "Hidden", 2026))
        page.set_row(2, None, None, {"hidden": True})
        page.write_row(3, 0, ("SP-2026-014", "Of no height", 2026))
        page.set_row(3, 0)
        page.write_row(4, 0, ("SP-2026-015", "Seen", 2026))

    _, rows = read(workbook(fill))
    assert [(row.cells["title"], row.is_hidden) for row in rows] == [
        *(("Möwe", False), ("Hidden", True), ("Of no height", True), ("Seen", False))
    ]


def test_hidden_columns_and_other_sheets_are_named(read):
    def fill(book, page):
        page.set_column(1, 2, None, None, {"hidden": True})
        page.set_column(3, 200, None, None, {"hidden": True})
        book.add_worksheet("Notes")
        book.add_worksheet("Old").hide()

    head, [row] = read(workbook(fill))
    assert row.cells == CELLS
    hidden = "This column is hidden in the spreadsheet and is imported like the others."
    assert head.notes == (
        ("", "Only the sheet “Data” is read, not “Notes”, “Old” (hidden)."),
        *(("title", hidden), ("year", hidden)),
    )


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("Line one_x000D_\nLine two", "Line one\r\nLine two"),
        ("_x0041_", "A"),
        ("_x005F_x000D_ is how it is written", "_x000D_ is how it is written"),
        ("x005F_ alone", "x005F_ alone"),
        ("a_x0009_b", "a\tb"),
    ],
)
@pytest.mark.parametrize("is_inline", [True, False])
def test_escapes_are_undone(read, written, text, is_inline):
    cell = (
        '<c r="B2" t="inlineStr"><is><t>{}</t></is></c>' if is_inline else '<c r="B2" t="str"><v>{}</v></c>'
    )

    def change(name, part):
        if name == "xl/worksheets/sheet1.xml":
            return part.replace(b'<c r="B2" t="s"><v>4</v></c>', cell.format(written).encode())
        return part.replace("Möwe".encode(), written.encode())

    for content in (rewritten(workbook(lambda *_: None), change),):
        _, [row] = read(content)
        assert row.cells["title"] == text
    shared = rewritten(
        workbook(lambda *_: None), lambda _, part: part.replace("Möwe".encode(), written.encode())
    )
    _, [row] = read(shared)
    assert row.cells["title"] == text


def test_a_nul_in_an_escape_is_a_bad_cell(read):
    content = rewritten(workbook(lambda *_: None), lambda _, part: part.replace("Möwe".encode(), b"_x0000_"))
    _, [row] = read(content)
    assert [(column, bad.reason) for column, bad in row.bad] == [
        ("title", "It has NUL characters, which are not text.")
    ]


# As Excel writes “Strict Open XML Spreadsheet”: the namespaces and the types of relations of all parts.
STRICT = tuple(
    (
        f"http://schemas.openxmlformats.org/{name}/2006/".encode(),
        f"http://purl.oclc.org/ooxml/{name}/".encode(),
    )
    for name in ("spreadsheetml", "officeDocument", "drawingml")
)


def strict(_, part):
    for common, purl in STRICT:
        part = part.replace(common, purl)
    return part.replace(b"<workbook ", b'<workbook conformance="strict" ')


@pytest.mark.parametrize("spaces", [0, 16_300, 100_000], ids="{} bytes before the sheet".format)
def test_strict_open_xml_is_read(read, spaces):
    def fill(book, page):
        page.write_number(1, 2, 45_000, book.add_format({"num_format": "yyyy-mm-dd"}))
        page.write_row(2, 0, ("SP-2026-013", "http://purl.oclc.org/ooxml/spreadsheetml/main", 2026.0))

    def change(name, part):
        return strict(name, part).replace(b"?>\n<", b"?>\n" + b" " * spaces + b"<", 1)

    content = rewritten(workbook(fill), change)
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        assert not any(
            b"schemas.openxmlformats.org/spreadsheetml" in package.read(name) for name in package.namelist()
        )
    _, [first, second] = read(content)
    assert first.cells == {"tag": "SP-2026-012", "title": "Möwe"}
    assert [column for column, _ in first.bad] == ["year"]
    assert second.cells["title"] == "http://purl.oclc.org/ooxml/spreadsheetml/main"


def test_dates_of_strict_open_xml_are_bad_cells(read):
    def change(name, part):
        cell = b'<c r="C2"><v>2026</v></c>'
        return strict(name, part).replace(cell, b'<c r="C2" t="d"><v>2026-11-27T00:00:00</v></c>')

    _, [row] = read(rewritten(workbook(lambda *_: None), change))
    assert [bad.reason.split(".")[0] for _, bad in row.bad] == ["It is a date"]


def test_the_workbooks_of_openpyxl_are_read_as_well(read):
    book = openpyxl.Workbook()
    [sheet] = book.worksheets
    sheet.append(KNOWN)
    sheet.append(("SP-2026-012", "Möwe", 2026))
    stream = io.BytesIO()
    book.save(stream)
    head, [row] = read(rewritten(stream.getvalue(), strict))
    assert (head.notes, row.cells) == ((), CELLS)
