"""Write records one by one into a file: CSV, XLSX or JSON Lines."""

import contextlib
import csv
import html
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from pathlib import Path

from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.worksheet import Worksheet

from documents.infrastructure import spreadsheets
from documents.tasks.exports.rows import Record

MAX_XLSX_ROWS = 1_048_575  # besides the header
MAX_XLSX_CHARACTERS = 32_767
CHECK_INTERVAL_SECONDS = 0.2
XLSX = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}

# Writes a record and returns the columns that the format cannot hold.
type Write = Callable[[Record], Sequence[str]]
# Takes the file, the names of the columns, and a function to call from time to time while it finishes the file.
type Writer = Callable[[Path, Sequence[str], Callable[[], None]], AbstractContextManager[Write]]


@contextlib.contextmanager
def open_csv(path: Path, columns: Sequence[str], _tick: Callable[[], None]) -> Iterator[Write]:
    """Write RFC 4180 in UTF-8, with a byte order mark for Excel and with formulas escaped."""
    with path.open("w", encoding="utf-8-sig", newline="", errors="replace") as stream:
        table = csv.writer(stream)
        table.writerow(columns)

        def write(record: Record) -> Sequence[str]:
            values = _flat(record)
            table.writerow([_escaped(values.get(column, "")) for column in columns])
            return ()

        yield write


@contextlib.contextmanager
def open_xlsx(path: Path, columns: Sequence[str], tick: Callable[[], None]) -> Iterator[Write]:
    """Write one sheet row by row; text stays text even if it looks like a number, a link or a formula."""
    book = Workbook(path, XLSX | {"tmpdir": str(path.parent)})
    sheet = book.add_worksheet()
    with _closed(book, sheet, tick):
        sheet.freeze_panes(1, 0)
        for number, column in enumerate(columns):
            sheet.write_string(0, number, column)
        row = 0

        def write(record: Record) -> Sequence[str]:
            nonlocal row
            row, values = row + 1, _flat(record)
            return [
                column
                for number, column in enumerate(columns)
                if not _write_cell(sheet, row, number, values.get(column, ""))
            ]

        yield write


@contextlib.contextmanager
def open_jsonl(path: Path, columns: Sequence[str], _tick: Callable[[], None]) -> Iterator[Write]:
    """Write one object per line, with the sections as a nested object."""
    with path.open("w", encoding="utf-8", newline="\n", errors="replace") as stream:

        def write(record: Record) -> Sequence[str]:
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
            return ()

        yield write


WRITERS: dict[str, Writer] = {"csv": open_csv, "xlsx": open_xlsx, "jsonl": open_jsonl}


def _flat(record: Record) -> Record:
    sections: Record = record.get("sections", {})
    words = {name: " ".join(value) for name, value in record.items() if isinstance(value, list)}
    return record | sections | words


def _escaped(value: object) -> object:
    return spreadsheets.escape_formula(value) if isinstance(value, str) else value


def _write_cell(sheet: Worksheet, row: int, column: int, value: str | int) -> bool:
    """Write a number or a text and return True; return False for a text that is too long for a cell."""
    if isinstance(value, int):
        sheet.write_number(row, column, value)
    elif len(text := _plain(value)) > MAX_XLSX_CHARACTERS:
        return False
    elif value:
        sheet.write_string(row, column, text)
    return True


def _plain(text: str) -> str:
    """Return a text for ``write_string``, which in constant-memory mode treats <r>…</r> as its own XML."""
    if not (text.startswith("<r>") and text.endswith("</r>")):
        return text
    return f'<r><t xml:space="preserve">{html.escape(text, quote=False)}</t></r>'


@contextlib.contextmanager
def _closed(book: Workbook, sheet: Worksheet, tick: Callable[[], None]) -> Iterator[None]:
    """Finish the workbook at the end, which takes a while; leave no file open on failure."""
    try:
        yield
        with ThreadPoolExecutor(1) as threads:
            closing = threads.submit(book.close)
            while wait([closing], timeout=CHECK_INTERVAL_SECONDS).not_done:
                tick()
            closing.result()
    except FileCreateError as error:
        raise error.args[0] from error
    finally:
        with contextlib.suppress(OSError):
            sheet.row_data_fh.close()
