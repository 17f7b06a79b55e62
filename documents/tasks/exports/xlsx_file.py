"""Write one sheet of XLSX row by row, with shared strings, in constant memory.

XlsxWriter makes the workbook with the names of the columns. Its constant-memory mode writes inline strings, which
Apple Numbers and the previews of phones show as blank cells. So this module adds the other rows to the sheet while
it is packed, and the other strings to a file beside it, which is packed last.
"""

import contextlib
import html
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile

from xlsxwriter import Workbook
from xlsxwriter.utility import xl_col_to_name

from documents.infrastructure.spreadsheets import escape_characters

SHEET, STRINGS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
END_OF_ROWS, END_OF_STRINGS = "</sheetData>", "</sst>"
OPTIONS = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
CHUNK_BYTES = 1024**2
# Statuses, kinds and areas repeat; texts do not, and remembering them would take memory.
MAX_REPEATED_CHARACTERS, MAX_REPEATED_STRINGS = 100, 20_000

type Cell = str | int
type AddRow = Callable[[Sequence[Cell]], None]


@contextlib.contextmanager
def write_sheet(path: Path, names: Sequence[str], tick: Callable[[], None]) -> Iterator[AddRow]:
    """Write a workbook and yield the function that adds a row below the names of the columns.

    ``tick`` is called from time to time while the strings are packed. Raises OSError.
    """
    parts = _package(names)
    head, foot = _split(parts.pop(SHEET), END_OF_ROWS)
    before, after = _split(parts.pop(STRINGS), END_OF_STRINGS)
    strings_path = path.with_name("strings.xml")
    with ZipFile(path, "w", ZIP_DEFLATED) as book:
        for name, content in parts.items():
            book.writestr(name, content)
        with strings_path.open("w", encoding="utf-8", errors="replace", newline="") as stream:
            strings = _Strings(stream, before, count=len(names))
            with book.open(SHEET, "w", force_zip64=True) as sheet:
                sheet.write(head.encode())
                yield _Rows(sheet, strings, len(names)).add
                sheet.write(foot.encode())
            stream.write(after)
        with strings_path.open("rb") as source, book.open(STRINGS, "w", force_zip64=True) as packed:
            while chunk := source.read(CHUNK_BYTES):
                packed.write(chunk)
                tick()


class _Strings:
    """The table of strings: an element for each, in a file; short ones are written once."""

    def __init__(self, stream: IO[str], begin: str, *, count: int) -> None:
        self._stream, self._count = stream, count
        self._numbers: dict[str, int] = {}
        stream.write(begin)

    def number_of(self, text: str) -> int:
        """Return the number of a string, after adding it unless it is remembered."""
        if (number := self._numbers.get(text)) is not None:
            return number
        number, self._count = self._count, self._count + 1
        escaped = html.escape(escape_characters(text), quote=False)
        self._stream.write(f'<si><t xml:space="preserve">{escaped}</t></si>')
        if len(text) <= MAX_REPEATED_CHARACTERS and len(self._numbers) < MAX_REPEATED_STRINGS:
            self._numbers[text] = number
        return number


class _Rows:
    """The rows of a sheet below the first one."""

    def __init__(self, sheet: IO[bytes], strings: _Strings, width: int) -> None:
        self._sheet, self._strings, self._row = sheet, strings, 1
        self._letters = [xl_col_to_name(number) for number in range(width)]

    def add(self, values: Sequence[Cell]) -> None:
        """Write a row; an empty text is an empty cell."""
        self._row += 1
        cells = (
            self._cell(f"{letters}{self._row}", value)
            for letters, value in zip(self._letters, values, strict=True)
            if value != ""
        )
        self._sheet.write(f'<row r="{self._row}">{"".join(cells)}</row>'.encode())

    def _cell(self, place: str, value: Cell) -> str:
        if isinstance(value, int):
            return f'<c r="{place}"><v>{value}</v></c>'
        return f'<c r="{place}" t="s"><v>{self._strings.number_of(value)}</v></c>'


def _package(names: Sequence[str]) -> dict[str, str]:
    """Return the parts of a workbook with the names of the columns in a row that stays when the sheet is scrolled."""
    stream = io.BytesIO()
    with Workbook(stream, OPTIONS) as book:
        sheet = book.add_worksheet()
        sheet.freeze_panes(1, 0)
        for number, name in enumerate(names):
            sheet.write_string(0, number, name)
    with ZipFile(stream) as package:
        parts = {name: package.read(name).decode() for name in package.namelist()}
    size = f'<dimension ref="A1:{xl_col_to_name(len(names) - 1)}1"/>'
    counts = f' count="{len(names)}" uniqueCount="{len(names)}"'
    # Both are optional, and would be wrong: the first can be told only after the last row.
    parts[SHEET] = _without(parts[SHEET], size if len(names) > 1 else '<dimension ref="A1"/>')
    parts[STRINGS] = _without(parts[STRINGS], counts)
    return parts


def _without(xml: str, text: str) -> str:
    before, found, after = xml.partition(text)
    if not found:
        raise ValueError(f"XlsxWriter wrote no {text}.")
    return before + after


def _split(xml: str, end: str) -> tuple[str, str]:
    before, found, after = xml.rpartition(end)
    if not found:
        raise ValueError(f"XlsxWriter wrote no {end}.")
    return before, found + after
