"""Repair tables that do not fit: heads that are too tall to repeat, rows taller than a page, columns too wide.

A repair is a class that report.css knows; the document is laid out again with it. WeasyPrint leaves out a head or foot
that leaves no room for a row, and a head before a row that may not be broken and is taller than the page.
"""

from collections.abc import Iterator
from typing import Any

from documents.rendering import page_text
from documents.rendering.page_bounds import PageBoxes

MIN_WIDE_COLUMNS = 9
# Of the page's height: a taller head or foot is printed once.
MAX_REPEATED_HEIGHT = 1 / 3
REPEATED = {"thead": "is_header", "tfoot": "is_footer"}
ONCE, TALL, WIDE = "once", "tall", "wide"
# Each is smaller than the one before it, and breaks more words.
NARROWER = ("crowded", "squeezed", "minute")
MAX_IMAGES_WIDTH_MM = 150

# The boxes of a table, one for each page, with the height of the page's text area.
type Pieces = list[tuple[Any, float]]


def mark_wide(root: Any) -> None:
    """Mark the tables of many columns, which begin in small type."""
    for table in root.iter("table"):
        if any(len(row) >= MIN_WIDE_COLUMNS for row in _rows(table)):
            _add_class(table, WIDE)


def repair(boxes: PageBoxes) -> bool:
    """Mark what a next layout must do in another way; return False if there is nothing to repair."""
    narrowed = {table for overflow in boxes.overflows for table in overflow.tables}
    repairs = [_narrow(table) for table in narrowed]
    for table, pieces in boxes.tables.items():
        repairs += (_repair_group(table, pieces, "thead"), _repair_group(table, pieces, "tfoot"))
        repairs += map(_let_break, _rows_without_head(table, pieces))
    return any(repairs)


def _repair_group(table: Any, pieces: Pieces, tag: str) -> bool:
    """Have a head or foot printed once if it takes too much of a page, or is on none."""
    group = table.find(tag)
    if group is None or _has_class(group, ONCE):
        return False
    tallest = max(_height(box, tag) / page_height for box, page_height in pieces)
    return not 0 < tallest <= MAX_REPEATED_HEIGHT and _print_once(table, group)


def _rows_without_head(table: Any, pieces: Pieces) -> list[Any]:
    """Return the first row of each piece of a table that lacks its head."""
    head = table.find("thead")
    if head is None or _has_class(head, ONCE):
        return []
    first_rows = (_first_row(box) for box, _ in pieces if not _height(box, "thead"))
    return [row for row in first_rows if row is not None]


def _height(table_box: Any, tag: str) -> float:
    """Return the height of the head or foot of one piece of a table, 0 if it is missing."""
    flag = REPEATED[tag]
    return sum(float(group.height) for group in table_box.children if getattr(group, flag))


def _first_row(table_box: Any) -> Any:
    rows = (
        row.element
        for group in table_box.children
        if not (group.is_header or group.is_footer)
        for row in group.children
    )
    return next(rows, None)


def _print_once(table: Any, group: Any) -> bool:
    """Have a head or foot printed where it is written, a foot after all rows."""
    if group.tag == "tfoot":
        table.remove(group)
        table.append(group)
    if len(group) == 1:
        _let_break(group[0])
    return _add_class(group, ONCE)


def _let_break(row: Any) -> bool:
    return _add_class(row, TALL)


def _narrow(table: Any) -> bool:
    """Have a table set smaller and broken more often; return False if it is at its smallest."""
    step = next((step for step in NARROWER if not _has_class(table, step)), None)
    if step is None:
        return False
    if step == NARROWER[0]:
        page_text.protect_identifiers(table)
    columns = max((len(row) for row in _rows(table)), default=1)
    for image in table.iter("img"):
        image.set("style", f"max-width:{MAX_IMAGES_WIDTH_MM / max(1, columns):.1f}mm")
    return _add_class(table, step)


def _rows(table: Any) -> Iterator[Any]:
    yield from table.iterfind("tr")
    for group in table:
        yield from group.iterfind("tr")


def _has_class(element: Any, name: str) -> bool:
    return name in element.get("class", "").split()


def _add_class(element: Any, name: str) -> bool:
    """Add a class; return False if the element has it already."""
    if _has_class(element, name):
        return False
    element.set("class", f"{element.get('class', '')} {name}".strip())
    return True
