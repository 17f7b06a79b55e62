"""Read the rows of an uploaded file, CSV or XLSX by its content, one by one and in bounded memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from documents import exceptions
from documents.tasks.imports import csv_reader
from documents.tasks.imports.keys import normalise_key
from documents.tasks.imports.limits import (
    MAX_CELL_CHARACTERS,
    MAX_CHARACTERS,
    MAX_COLUMNS,
    MAX_ROW_CHARACTERS,
    MAX_ROWS,
    Cells,
    InvalidCell,
    RawRow,
    ReadBudget,
)

ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@dataclass(frozen=True, kw_only=True)
class ParsedRow:
    """A row of the file: its number as spreadsheets count, from 1, and its cells by column name.

    Empty cells are left out. ``bad`` holds the cells that cannot be read, as column and reason.
    """

    number: int
    cells: dict[str, str] = field(default_factory=dict)
    bad: tuple[tuple[str, InvalidCell], ...] = ()
    is_hidden: bool = False


@dataclass(frozen=True, kw_only=True)
class Header:
    """The row with the names of the columns.

    ``problems`` are pairs of a column and what is wrong with it, ``notes`` of a column and what people should know.
    """

    number: int
    names: tuple[str, ...]
    problems: tuple[tuple[str, str], ...]
    notes: tuple[tuple[str, str], ...] = ()


def read_table(
    path: Path, *, columns: Sequence[str], required: Sequence[str]
) -> tuple[Header, Iterator[ParsedRow]]:
    """Return the header of a file and its rows, which are read while they are iterated.

    ``columns`` are the allowed names, ``required`` those that must be present. Raises
    ImportUnreadable, also during the iteration.
    """
    rows = _rows(path, columns)
    first = next(rows, RawRow(1, []))
    names = _names(first.cells)
    head = Header(
        number=first.number,
        names=names,
        problems=tuple(_problems(names, columns, required)),
        notes=tuple(_notes(first, names)),
    )
    return head, (_row(row, names) for row in rows)


def _rows(path: Path, columns: Sequence[str]) -> Iterator[RawRow]:
    """Yield the rows that are not empty; the first one has the notes of all before it."""
    with path.open("rb") as stream:
        begin = stream.read(len(OLE))
    if begin == OLE:
        raise exceptions.ImportUnreadable(
            "This is an old .xls file, or a workbook with a password. Save it as .xlsx without a password."
        )
    rows = _xlsx_rows(path) if begin.startswith(ZIP) else csv_reader.iter_rows(path, columns)
    budget = ReadBudget(
        MAX_CHARACTERS, f"It has more than {MAX_CHARACTERS:,} characters. Split it into several files."
    )
    last_number, notes = None, tuple[str, ...]()
    for row in rows:
        number, cells, notes = row.number, row.cells, notes + row.notes
        last_number = last_number or number + MAX_ROWS
        if number > last_number:
            raise exceptions.ImportUnreadable(
                f"It has more than {MAX_ROWS:,} rows. Split it into several files."
            )
        budget.spend(_require_bounded(number, cells))
        if any(isinstance(cell, InvalidCell) or cell.strip() for cell in cells):
            yield row._replace(notes=notes)
            notes = ()


def _xlsx_rows(path: Path) -> Iterator[RawRow]:
    # openpyxl would be a tenth of every start of every process.
    from documents.tasks.imports import xlsx_reader

    return xlsx_reader.iter_rows(path)


def _require_bounded(number: int, cells: Cells) -> int:
    """Return how many characters a row has. Raises ImportUnreadable when it is too large."""
    if len(cells) > MAX_COLUMNS:
        raise exceptions.ImportUnreadable(
            f"Row {number} has {len(cells):,} columns; at most {MAX_COLUMNS} are allowed."
        )
    size = sum(len(cell) for cell in cells if isinstance(cell, str))
    if size > MAX_ROW_CHARACTERS:
        raise exceptions.ImportUnreadable(f"Row {number} has more than {MAX_ROW_CHARACTERS:,} characters.")
    return size


def _names(cells: Cells) -> tuple[str, ...]:
    names = ["" if isinstance(cell, InvalidCell) else normalise_key(cell).lower() for cell in cells]
    while names and not names[-1]:
        names.pop()
    return tuple(names)


def _problems(
    names: Sequence[str], columns: Sequence[str], required: Sequence[str]
) -> Iterator[tuple[str, str]]:
    for position, name in enumerate(names, start=1):
        if not name:
            yield "", f"Column {position} has no name, but others after it have."
        elif name not in columns:
            yield name, f"There is no such column. The columns are: {', '.join(columns)}."
        elif name in names[: position - 1]:
            yield name, "This column is there twice."
    for name in required:
        if name not in names:
            yield name, "This column is missing: without it a row cannot be told from others."


def _notes(first: RawRow, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    for note in first.notes:
        yield "", note
    for position, name in enumerate(names, start=1):
        if any(position in columns for columns in first.hidden_columns):
            yield name, "This column is hidden in the spreadsheet and is imported like the others."


def _row(row: RawRow, names: Sequence[str]) -> ParsedRow:
    texts, bad = {}, []
    for position, cell in enumerate(row.cells):
        name = names[position] if position < len(names) else ""
        if isinstance(cell, InvalidCell):
            bad.append((name, cell))
        elif len(cell) > MAX_CELL_CHARACTERS:
            bad.append(
                (name, InvalidCell(cell[:100], f"It has more than {MAX_CELL_CHARACTERS:,} characters."))
            )
        elif not name and cell.strip():
            bad.append((name, InvalidCell(cell, f"Column {position + 1} has no name in the first row.")))
        elif cell.strip():
            texts[name] = cell
    return ParsedRow(number=row.number, cells=texts, bad=tuple(bad), is_hidden=row.is_hidden)
