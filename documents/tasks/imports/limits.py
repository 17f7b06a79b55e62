"""The limits of a file in each direction, and the budget that enforces them while it is read."""

from dataclasses import dataclass
from typing import NamedTuple

from documents import exceptions
from documents.models import richtext

MAX_ROWS = 50_000
MAX_COLUMNS = 200
MAX_CELL_CHARACTERS = richtext.MAX_SECTION_CHARACTERS
# All cells of a row together, with their separators: a reader holds one row in memory.
MAX_ROW_CHARACTERS = 4_000_000
# The whole file: a workbook may repeat one long text in a million cells.
MAX_CHARACTERS = 256_000_000


@dataclass(frozen=True)
class InvalidCell:
    """A cell that cannot be imported: its value, and the reason."""

    value: str
    reason: str


type Cells = list[str | InvalidCell]


class RawRow(NamedTuple):
    """A row as its file has it: its number as spreadsheets count, from 1, and its cells by position.

    ``hidden_columns`` are positions from 1; ``notes`` are about the whole file, and come with its first row.
    """

    number: int
    cells: Cells
    is_hidden: bool = False
    hidden_columns: tuple[range, ...] = ()
    notes: tuple[str, ...] = ()


class ReadBudget:
    """How much may be read until the next row is complete; refilled with each row."""

    def __init__(self, amount: int, message: str) -> None:
        self._full = self._left = amount
        self._message = message

    def spend(self, amount: int) -> None:
        """Deduct an amount. Raises ImportUnreadable when less than that is left."""
        self._left -= amount
        if self._left < 0:
            raise exceptions.ImportUnreadable(self._message)

    def refill(self) -> None:
        """Restore the full amount."""
        self._left = self._full
