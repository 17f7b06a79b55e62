"""Bounds on what the layout of a document costs, counted in its HTML before anything is laid out.

A section of a few kilobytes may take minutes to lay out: what costs time is the number of lines, cells and boxes,
not of characters. At each bound the layout takes up to about forty seconds (docs/rendering.md).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

MAX_LINES = 20_000
MAX_CELLS = 20_000
MAX_BOXES = 15_000
# The layout compares all pieces between two places where a line may break: its cost grows with their square.
MAX_UNBROKEN_PIECES = 200
CHARACTERS_PER_LINE = 60

# The sanitiser writes every attribute in double quotes and escapes every other "<". A tag that is never closed goes on
# to the end of the text, so that no character is read twice.
TOKEN = re.compile(r'<(/?)([a-z][a-z0-9]*)((?:[^>"]++|"[^"]*+(?:"|\Z))*+)(?:>|\Z)|([^<]++)|<')
SPAN = re.compile(r'(?:^|\s)(?:col|row)?span="([0-9]{1,9})')
BREAK = re.compile(r"[ \t\n\r\-–—\u3000-\u9fff\uac00-\ud7a3]")
CELLS = frozenset({"td", "th", "col", "colgroup"})
INLINE = frozenset(
    {"a", "abbr", "b", "cite", "code", "del", "dfn", "em", "i", "ins", "kbd", "mark", "q", "s", "small"}
    | {"span", "strong", "sub", "sup", "u"}
)


@dataclass(frozen=True, kw_only=True)
class LayoutSize:
    """How much there is to lay out: lines of text, table cells, other boxes.

    ``unbroken_pieces`` is the largest number of inline elements in a row between which no line may break.
    """

    lines: int = 0
    cells: int = 0
    boxes: int = 0
    unbroken_pieces: int = 0

    def __add__(self, other: "LayoutSize") -> "LayoutSize":
        return LayoutSize(
            lines=self.lines + other.lines,
            cells=self.cells + other.cells,
            boxes=self.boxes + other.boxes,
            unbroken_pieces=max(self.unbroken_pieces, other.unbroken_pieces),
        )


class _Counter:
    """Counts what a sanitised text lays out, token by token."""

    def __init__(self) -> None:
        self._cells = self._boxes = self._breaks = self._characters = 0
        self._pieces = self._unbroken_pieces = 0
        self._is_preformatted = False

    def count_text(self, text: str) -> None:
        self._characters += len(text)
        if self._is_preformatted:
            self._breaks += text.count("\n")
        if BREAK.search(text):
            self._pieces = 0

    def count_tag(self, tag: str, attributes: str, *, is_end: bool) -> None:
        if tag == "pre":
            self._is_preformatted = not is_end
        if tag not in INLINE:
            self._pieces = 0
        if is_end:
            return
        if tag in INLINE:
            self._pieces += 1
            self._unbroken_pieces = max(self._unbroken_pieces, self._pieces)
        if tag in CELLS:
            self._cells += _area(attributes)
        elif tag in {"br", "img"}:
            self._breaks += 1
        else:
            self._boxes += 1

    def size(self) -> LayoutSize:
        return LayoutSize(
            lines=self._breaks + self._characters // CHARACTERS_PER_LINE,
            cells=self._cells,
            boxes=self._boxes,
            unbroken_pieces=self._unbroken_pieces,
        )


def measure(html: str) -> LayoutSize:
    """Return how much a sanitised text lays out; the time grows with its length only."""
    counter = _Counter()
    for match in TOKEN.finditer(html):
        slash, tag, attributes, text = match.groups()
        if tag:
            counter.count_tag(tag, attributes, is_end=bool(slash))
        else:
            counter.count_text(text or "<")
    return counter.size()


def find_problem(size: LayoutSize) -> str:
    """Return which bound is exceeded and what to do, without a subject and a full stop, or an empty text."""
    advice = "Split it, or attach the data elsewhere"
    bounds = (
        (size.lines, MAX_LINES, "lines"),
        (size.cells, MAX_CELLS, "table cells (a cell that spans others counts as all of them)"),
        (size.boxes, MAX_BOXES, "paragraphs, list items, rows and marked words"),
    )
    for count, bound, name in bounds:
        if count > bound:
            return f"has {count:,} {name}; at most {bound:,} can be laid out. {advice}"
    if size.unbroken_pieces > MAX_UNBROKEN_PIECES:
        return (
            f"marks {size.unbroken_pieces:,} pieces of one long word; at most {MAX_UNBROKEN_PIECES} can be laid"
            " out. Mark fewer, or put spaces between them"
        )
    return ""


def total_problem(sections: Iterable[str]) -> str:
    """Return which bound all sections of a document together exceed, or an empty text."""
    return find_problem(sum(map(measure, sections), LayoutSize()))


def _area(attributes: str) -> int:
    """Return how many places of the table's grid a cell takes."""
    area = 1
    for span in SPAN.findall(attributes):
        area *= max(1, int(span))
    return area
