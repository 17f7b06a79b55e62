"""Check the boxes of laid out pages: what runs off a page, what is not printed, and which tables lack their heads."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from weasyprint.formatting_structure.boxes import ReplacedBox, TableBox, TextBox

# In pixels of CSS. Boxes are a little wider than what is drawn in them.
TOLERANCE = 2.0
UNSEEN = frozenset({"head", "title", "script", "style"})


@dataclass(frozen=True, kw_only=True)
class Overflow:
    """Text or an image that is beyond the margin of a page: its element, its text, and the tables it is in."""

    element: Any
    text: str
    tables: tuple[Any, ...]


@dataclass(kw_only=True)
class PageBoxes:
    """What the pages of a document show; elements are those of its HTML."""

    overflows: list[Overflow] = field(default_factory=list)
    # The pieces of each table, one for each of its pages, with the height of the page's text area.
    tables: dict[Any, list[tuple[Any, float]]] = field(default_factory=dict)
    letters: Counter[Any] = field(default_factory=Counter)


def examine(document: Any) -> PageBoxes:
    """Return what is on the pages of a laid out document, apart from their margins."""
    boxes = PageBoxes()
    for page in document.pages:
        box = page._page_box
        for child in box.children:
            if child.element_tag == "html":
                _Walk(boxes, box).visit(child, ())
    return boxes


def find_unprinted(root: Any, boxes: PageBoxes) -> dict[Any, str]:
    """Return the texts of elements that no page shows, or not all of, by element."""
    return {
        element: text for element, text in _own_texts(root) if boxes.letters[element] < count_letters(text)
    }


def count_letters(text: str) -> int:
    """Return the number of letters and digits, which a layout neither folds nor adds to."""
    return sum(map(str.isalnum, text))


def _own_texts(root: Any) -> Iterator[tuple[Any, str]]:
    for element in root.iter():
        if isinstance(element.tag, str) and element.tag not in UNSEEN:
            text = (element.text or "") + " ".join(child.tail or "" for child in element)
            if text and not text.isspace():
                yield element, text


class _Walk:
    """Visits the boxes of one page."""

    def __init__(self, boxes: PageBoxes, page_box: Any) -> None:
        self._boxes = boxes
        self._left = page_box.content_box_x() - TOLERANCE
        self._right = page_box.content_box_x() + page_box.width + TOLERANCE
        self._page_right = page_box.margin_width()
        self._height = page_box.height

    def visit(self, box: Any, tables: tuple[Any, ...]) -> None:
        box = getattr(box, "_box", box)  # of a placeholder
        if isinstance(box, TextBox):
            if "::" not in (box.element_tag or ""):
                self._boxes.letters[box.element] += count_letters(box.text)
            self._check(box, box.text, tables)
        elif isinstance(box, ReplacedBox):
            self._check(box, "an image", tables)
        else:
            if isinstance(box, TableBox):
                self._boxes.tables.setdefault(box.element, []).append((box, self._height))
                tables = (*tables, box.element)
            for child in getattr(box, "children", ()):
                self.visit(child, tables)

    def _check(self, box: Any, text: str, tables: tuple[Any, ...]) -> None:
        right = box.position_x + box.margin_width()
        if right <= self._right and box.position_x >= self._left:
            return
        # A long number of a list may stand in the margin.
        if "::marker" in (box.element_tag or "") and box.position_x >= 0 and right <= self._page_right:
            return
        self._boxes.overflows.append(Overflow(element=box.element, text=text, tables=tables))
