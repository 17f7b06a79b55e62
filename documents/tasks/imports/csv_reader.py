"""Read the rows of a CSV file: UTF-8, or UTF-16 with a byte order mark; comma, semicolon or tab separated."""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from documents import exceptions
from documents.infrastructure.spreadsheets import unescape_formula
from documents.tasks.imports.keys import normalise_key
from documents.tasks.imports.limits import MAX_CELL_CHARACTERS, MAX_ROW_CHARACTERS, RawRow, ReadBudget

DELIMITERS = ",;\t"
HEAD_CHARACTERS = 65_536
BYTE_ORDER_MARK = "\ufeff"
# A first line by which Excel is told the delimiter; spreadsheets neither show nor count it.
DELIMITER_LINE = re.compile(r'"?sep=([^\w"\r\n ])"?[,;\t]*(?:\r\n?|\n)', re.IGNORECASE)
SAVE_AS_HINT = "Save it as “CSV UTF-8” (in Excel: Save as, CSV UTF-8), or as .xlsx."

# For the whole process, and generous: a cell that is too long is reported with its row and column.
csv.field_size_limit(max(csv.field_size_limit(), 2 * MAX_CELL_CHARACTERS))


def iter_rows(path: Path, columns: Sequence[str]) -> Iterator[RawRow]:
    """Yield each row; ``columns`` are the names that tell which delimiter is used.

    Raises ImportUnreadable.
    """
    budget = ReadBudget(
        MAX_ROW_CHARACTERS,
        f"A row has more than {MAX_ROW_CHARACTERS:,} characters. Is a quotation mark missing before it?",
    )
    number = 0
    with path.open("rb") as binary:
        text = io.TextIOWrapper(binary, encoding=_encoding(binary), newline="")
        try:
            delimiter = _skip_to_header(text, columns)
            for number, cells in enumerate(
                csv.reader(_lines(text, budget), delimiter=delimiter, strict=True), start=1
            ):
                budget.refill()
                yield RawRow(number, [unescape_formula(cell) for cell in cells])
        except UnicodeDecodeError as error:
            where = f" after row {number}" if number else ""
            raise exceptions.ImportUnreadable(f"The text{where} is not UTF-8. {SAVE_AS_HINT}") from error
        except csv.Error as error:
            raise exceptions.ImportUnreadable(
                f"Row {number + 1} cannot be read: {error}. Write each quotation mark inside a cell twice."
            ) from error


def _encoding(stream: io.BufferedReader) -> str:
    begin = stream.peek(3)[:3]
    return "utf-16" if begin[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE} else "utf-8-sig"


def _skip_to_header(text: io.TextIOWrapper, columns: Sequence[str]) -> str:
    """Skip byte order marks and a line that names the delimiter; return the delimiter."""
    begin = text.read(HEAD_CHARACTERS)
    text.seek(0)
    marks = len(begin) - len(begin.lstrip(BYTE_ORDER_MARK))
    line = DELIMITER_LINE.match(begin, marks)
    text.read(line.end() if line else marks)
    return line[1] if line else _delimiter(begin, columns)


def _delimiter(begin: str, columns: Sequence[str]) -> str:
    """Return the delimiter that separates most names of columns in the first line."""
    line = begin.lstrip(f"{BYTE_ORDER_MARK} \r\n\t").partition("\n")[0]

    def score(delimiter: str) -> int:
        names = {normalise_key(name.strip().strip('"')).lower() for name in line.split(delimiter)}
        return len(names.intersection(columns))

    return max(DELIMITERS, key=score)


def _lines(text: io.TextIOWrapper, budget: ReadBudget) -> Iterator[str]:
    """Yield lines. Raises ImportUnreadable for one longer than the budget allows."""
    while line := text.readline(MAX_ROW_CHARACTERS + 1):
        budget.spend(len(line))
        if "\0" in line:
            raise exceptions.ImportUnreadable(f"It has NUL bytes, which are not text. {SAVE_AS_HINT}")
        yield line
