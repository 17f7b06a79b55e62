"""Read the rows of the first visible sheet of an XLSX workbook with openpyxl, within limits of our own.

openpyxl trusts what it reads. This module checks the size of each part before opening it, and limits how much is
read between two rows. Formulas are never computed, links never followed, macros refused.
"""

import contextlib
import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import IO, Any, Literal, cast

import openpyxl
from openpyxl.cell.text import Text
from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.worksheet._reader import WorkSheetParser
from openpyxl.xml.constants import SHARED_STRINGS, SHEET_MAIN_NS
from openpyxl.xml.functions import iterparse

from documents import exceptions
from documents.infrastructure.spreadsheets import unescape_characters
from documents.models.mistakes import shortened
from documents.tasks.imports.limits import (
    MAX_COLUMNS,
    MAX_ROW_CHARACTERS,
    Cells,
    InvalidCell,
    RawRow,
    ReadBudget,
)

MAX_NAMED = 3
MEGABYTE = 1_000_000
MAX_PART_BYTES = 8 * MEGABYTE
# The strings are held in memory, a sheet is not.
MAX_STRINGS_BYTES = 64 * MEGABYTE
MAX_SHEET_BYTES = 256 * MEGABYTE
MAX_ROW_BYTES = 4 * MAX_ROW_CHARACTERS
MAX_RATIO = 200  # unpacked to packed
# Elements and attributes of XML: each may become an object in memory.
MAX_MARKS = 200_000
MAX_STRINGS_MARKS = 2_000_000

STRINGS = re.compile(r"xl/sharedStrings\d*\.xml", re.IGNORECASE)
SHEET = re.compile(r"xl/worksheets/[^/]+\.xml", re.IGNORECASE)
MACROS = re.compile(r"(?:^|/)vbaProject\.bin$|/macrosheets/", re.IGNORECASE)
LINKS = re.compile(r"(?:^|/)externalLinks/", re.IGNORECASE)
# Namespaces and types of relations in Strict Open XML (ISO/IEC 29500-1), and in the form that is common.
STRICT = re.compile(rb"""(?<=["'])http://purl\.oclc\.org/ooxml/(\w+)/""")
COMMON = rb"http://schemas.openxmlformats.org/\1/2006/"
TOO_LARGE = "Unpacked, a part of this workbook is larger than a table can be. Save the sheet as CSV UTF-8."
DAMAGED = "This workbook is damaged. Open it and save it again as .xlsx, or as CSV UTF-8."
# What openpyxl, expat and zipfile raise for damaged files.
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, SyntaxError, ValueError, LookupError),
    *(TypeError, AttributeError, NotImplementedError, RuntimeError, OverflowError, AssertionError),
)

warnings.filterwarnings("ignore", category=UserWarning, module=r"openpyxl\.")  # about features it drops
if not openpyxl.DEFUSEDXML:  # pragma: no cover
    raise ImportError("defusedxml is missing: without it openpyxl expands entities.")


def iter_rows(path: Path) -> Iterator[RawRow]:
    """Yield each row of the first visible sheet. Raises ImportUnreadable."""
    with _translate_errors(), path.open("rb") as stream, _Archive(stream) as archive:
        _check_archive(archive, packed_bytes=path.stat().st_size)
        yield from _rows(archive, stream)


@contextlib.contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise exceptions.ImportUnreadable(DAMAGED) from error


def _rows(archive: "_Archive", stream: IO[bytes]) -> Iterator[RawRow]:
    reader = ExcelReader(stream, read_only=True, keep_links=False)
    reader.archive = archive
    reader.read_manifest()
    strings = _read_strings(reader, archive)
    reader.read_workbook()
    apply_stylesheet(archive, reader.wb)  # which numbers are dates
    target, notes = _first_visible(reader)
    with archive.open(target) as source:
        parser = _Parser(
            source,
            strings,
            epoch=reader.wb.epoch,
            date_formats=reader.wb._date_formats,  # type: ignore[attr-defined]
            timedelta_formats=reader.wb._timedelta_formats,  # type: ignore[attr-defined]
        )
        for number, cells in parser.parse():
            archive.refill()
            yield RawRow(number, _cells(number, cells), parser.is_hidden, parser.hidden_columns, notes)
            notes = ()


def _read_strings(reader: ExcelReader, archive: "_Archive") -> list[str]:
    """Return the shared strings as they are written; openpyxl would undo a part of their escapes."""
    if (part := reader.package.find(SHARED_STRINGS)) is None:  # type: ignore[no-untyped-call]
        return []
    strings = []
    with archive.open(part.PartName[1:]) as source:
        for _, node in iterparse(source):
            if node.tag == f"{{{SHEET_MAIN_NS}}}si":
                strings.append(cast("Text", Text.from_tree(node)).content)
                node.clear()
    return strings


def _first_visible(reader: ExcelReader) -> tuple[str, tuple[str, ...]]:
    """Return the name of the part with the first visible sheet, and a note about the sheets that are not read."""
    sheets = [(sheet, relation.Type, relation.target) for sheet, relation in reader.parser.find_sheets()]
    for sheet, kind, target in sheets:
        if sheet.state == "visible" and kind.endswith("/worksheet"):
            return str(target), _note_others(sheet, [other for other, *_ in sheets if other is not sheet])
    raise exceptions.ImportUnreadable("This workbook has no visible sheet.")


def _note_others(sheet: Any, others: list[Any]) -> tuple[str, ...]:
    if not others:
        return ()
    names = [
        f"“{shortened(str(other.name))}”{'' if other.state == 'visible' else ' (hidden)'}"
        for other in others[:MAX_NAMED]
    ]
    more = f" and {len(others) - MAX_NAMED:,} more" if len(others) > MAX_NAMED else ""
    return (f"Only the sheet “{shortened(str(sheet.name))}” is read, not {', '.join(names)}{more}.",)


def _cells(number: int, parsed: list[dict[str, Any]]) -> Cells:
    width = max((cell["column"] for cell in parsed), default=0)
    if width > MAX_COLUMNS:
        raise exceptions.ImportUnreadable(
            f"Row {number} has something in column {width:,}; at most {MAX_COLUMNS} columns are allowed."
        )
    cells: Cells = [""] * width
    for cell in parsed:
        cells[cell["column"] - 1] = _text(cell["value"], cell["data_type"])
    return cells


def _text(value: object, data_type: str) -> str | InvalidCell:
    if data_type == "f":
        return InvalidCell("", "It is a formula. Copy the column and paste it as values.")
    if data_type == "e":
        return InvalidCell(str(value), "It is an error of the spreadsheet.")
    if isinstance(value, datetime | date | time | timedelta):
        return InvalidCell(
            str(value), "It is a date. Format the cell as text or as a number, and type it again."
        )
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else _plain_text(value)


def _plain_text(value: object) -> str | InvalidCell:
    text = unescape_characters(value) if isinstance(value, str) else str(value)
    return InvalidCell(text, "It has NUL characters, which are not text.") if "\0" in text else text


class _Parser(WorkSheetParser):
    """The parser of openpyxl without formulas: translating a shared formula takes unbounded time."""

    is_hidden = False
    hidden_columns: tuple[range, ...] = ()

    def parse_formula(self, element: Any) -> str:
        """Return a mark instead of the formula."""
        return "="

    def parse_row(self, row: Any) -> Any:
        """Return the number and the cells of a row; ``is_hidden`` is that of this row."""
        self.is_hidden = _is_hidden(row, size="ht")
        parsed = super().parse_row(row)
        self.row_dimensions.clear()  # openpyxl would keep those of all rows
        return parsed

    def parse_column_dimensions(self, col: Any) -> None:
        """Note a range of columns if it is hidden."""
        if _is_hidden(col, size="width"):
            self.hidden_columns += (range(int(col.get("min")), int(col.get("max")) + 1),)


def _is_hidden(element: Any, *, size: str) -> bool:
    return element.get("hidden") in {"1", "true"} or element.get(size) in {"0", "0.0"}


def _check_archive(archive: zipfile.ZipFile, *, packed_bytes: int) -> None:
    infos = archive.infolist()
    if sum(info.file_size for info in infos) > max(MAX_RATIO * packed_bytes, MEGABYTE):
        raise exceptions.ImportUnreadable(TOO_LARGE)
    for info in infos:
        if info.flag_bits & 0x1:
            raise exceptions.ImportUnreadable("This workbook has a password. Save it without one.")
        if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise exceptions.ImportUnreadable(DAMAGED)  # spreadsheets use no other, and others have no bounds
        if MACROS.search(info.filename):
            raise exceptions.ImportUnreadable("This workbook has macros. Save it as .xlsx, without them.")
        if LINKS.search(info.filename):
            raise exceptions.ImportUnreadable(
                "This workbook has links to other files. Break them (Data, Edit links), so that its values are its own."
            )


class _Archive(zipfile.ZipFile):
    """A ZIP file with limits for its parts: their size before they are opened, then their elements of XML."""

    def open(
        self,
        name: str | zipfile.ZipInfo,
        mode: Literal["r", "w"] = "r",
        pwd: bytes | None = None,
        *,
        force_zip64: bool = False,
    ) -> IO[bytes]:
        """Open a part for reading. Raises ImportUnreadable for one that is too large."""
        info = name if isinstance(name, zipfile.ZipInfo) else self.getinfo(name)
        limits = _limits(info.filename)
        if info.file_size > limits.part_bytes:  # no more than that is ever unpacked
            raise exceptions.ImportUnreadable(TOO_LARGE)
        self._marks = ReadBudget(limits.marks, TOO_LARGE)
        self._bytes = ReadBudget(limits.row_bytes, TOO_LARGE)
        return cast("IO[bytes]", _Metered(super().open(info), self._marks, self._bytes))

    def refill(self) -> None:
        """Begin a new row of the sheet that is read."""
        self._marks.refill()
        self._bytes.refill()


@dataclass(frozen=True, kw_only=True)
class _PartLimits:
    """The largest size of a part, and how much of it may be read at once; of a sheet, between two rows."""

    part_bytes: int
    row_bytes: int
    marks: int


def _limits(name: str) -> _PartLimits:
    if STRINGS.fullmatch(name):
        return _PartLimits(part_bytes=MAX_STRINGS_BYTES, row_bytes=MAX_STRINGS_BYTES, marks=MAX_STRINGS_MARKS)
    if SHEET.fullmatch(name):
        return _PartLimits(part_bytes=MAX_SHEET_BYTES, row_bytes=MAX_ROW_BYTES, marks=MAX_MARKS)
    return _PartLimits(part_bytes=MAX_PART_BYTES, row_bytes=MAX_PART_BYTES, marks=MAX_MARKS)


class _Metered(io.BufferedIOBase):
    """A stream that counts what is read, and gives Strict Open XML the namespaces of the common form."""

    def __init__(self, stream: IO[bytes], marks: ReadBudget, size: ReadBudget) -> None:
        self._stream, self._marks, self._size = stream, marks, size
        self._open_tag = b""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read about ``size`` bytes, no tag in halves. Raises ImportUnreadable when the budget is used up."""
        is_rest = size is None or size < 0
        while True:
            chunk = self._stream.read(-1 if size is None else size)
            self._marks.spend(chunk.count(b"<") + chunk.count(b"="))
            self._size.spend(len(chunk))
            xml = self._open_tag + chunk
            end = xml.rfind(b"<")
            is_cut = chunk and not is_rest and end >= 0 and b">" not in xml[end:]
            whole, self._open_tag = (xml[:end], xml[end:]) if is_cut else (xml, b"")
            if whole or not chunk:
                return STRICT.sub(COMMON, whole)

    def readable(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """Close the part too."""
        self._stream.close()
        super().close()
