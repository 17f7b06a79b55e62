"""Write records one by one into a file: CSV, XLSX or JSON Lines."""

import contextlib
import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from documents.infrastructure import spreadsheets
from documents.tasks.exports.rows import Record

MAX_XLSX_ROWS = 1_048_575  # besides the header
MAX_XLSX_CHARACTERS = 32_767

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
    # XlsxWriter would take time and memory in every process.
    from documents.tasks.exports import xlsx_file

    with xlsx_file.write_sheet(path, columns, tick) as add_row:

        def write(record: Record) -> Sequence[str]:
            values = _flat(record)
            cells = {column: values.get(column, "") for column in columns}
            omitted = [column for column, value in cells.items() if _is_too_long(value)]
            add_row([*(cells | dict.fromkeys(omitted, "")).values()])
            return omitted

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


def _is_too_long(value: object) -> bool:
    """Return True for a text that is too long for a cell, in the code units that Excel counts."""
    return (
        isinstance(value, str)
        and len(value) > MAX_XLSX_CHARACTERS // 2
        and len(value.encode("utf-16-le", "replace")) // 2 > MAX_XLSX_CHARACTERS
    )
