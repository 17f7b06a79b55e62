"""How large a file may be in each direction, and what guards that while it is read."""

from dataclasses import dataclass

from documents import exceptions
from documents.models import richtext

MAX_ROWS = 50_000
MAX_COLUMNS = 200
MAX_CELL_CHARACTERS = richtext.MAX_SECTION_CHARACTERS
# Of all cells of a row together, with the marks between them: a reader holds one row in memory.
MAX_ROW_CHARACTERS = 4_000_000
# Of the whole file: a workbook may name one long text in a million cells.
MAX_CHARACTERS = 256_000_000


@dataclass(frozen=True)
class InvalidCell:
    """A cell that cannot be used: what was there, and why not."""

    value: str
    reason: str


type Cells = list[str | InvalidCell]


class ReadBudget:
    """What may be read until the next row is complete: refilled with each row, an error when it is used up."""

    def __init__(self, most: int, message: str) -> None:
        self._most = self._left = most
        self._message = message

    def spend(self, amount: int) -> None:
        """Take from it. Raises ImportUnreadable when so much is not left."""
        self._left -= amount
        if self._left < 0:
            raise exceptions.ImportUnreadable(self._message)

    def refill(self) -> None:
        """Begin anew."""
        self._left = self._most
