"""Mend the grid of a table in HTML: all rows as long, spans within it, and every header cell with its scope."""

from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import SubElement  # nosec B405

from documents.whole_numbers import read_whole_number

GROUPS = frozenset({"thead", "tbody", "tfoot"})
CELLS = frozenset({"td", "th"})
# What tagging reads: a table that only arranges blocks, and a cell of a header row that is none in HTML.
LAYOUT, HEADER = "data-layout", "data-header"


def repair(table: Any) -> bool:
    """Mend a table in place; return False if it has no header, so that its first row is taken for one."""
    groups = [[_cells(row) for row in rows] for rows in _row_groups(table)]
    rows = [row for group in groups for row in group]
    columns = max((_close_spans(group) for group in groups), default=0)
    has_header = any(cell.tag == "th" for row in rows for cell in row)
    for row_elements, group in zip(_row_groups(table), groups, strict=True):
        _fill_rows(row_elements, group, columns)
    if has_header:
        _set_scopes(table)
        return True
    return _without_header(table, is_grid=len(rows) > 1 and columns > 1)


def _without_header(table: Any, *, is_grid: bool) -> bool:
    all_rows = [_cells(row) for rows in _row_groups(table) for row in rows]
    if is_grid:
        for cell in all_rows[0]:
            cell.set(HEADER, "")
        return False
    groups = [child for child in table if child.tag in GROUPS]
    rows = [row for rows in _row_groups(table) for row in rows]
    for element in (table, *groups, *rows, *(cell for row in all_rows for cell in row)):
        element.set(LAYOUT, "")
    return True


def _row_groups(table: Any) -> list[list[Any]]:
    """Return the rows of each group; rows outside groups are a group as well."""
    groups = [[row for row in group if row.tag == "tr"] for group in table if group.tag in GROUPS]
    if loose := [row for row in table if row.tag == "tr"]:
        groups.append(loose)
    return groups


def _cells(row: Any) -> list[Any]:
    return [cell for cell in row if cell.tag in CELLS]


def _close_spans(rows: list[list[Any]]) -> int:
    """Shorten spans that leave the group or overlap; return the number of columns."""
    taken: set[tuple[int, int]] = set()
    for number, row in enumerate(rows):
        for place, cell in _places(row, number, taken):
            columns = _free_columns(cell, number, place, taken)
            height = _span(cell, "rowspan", len(rows) - number)
            _set_span(cell, "colspan", columns)
            _set_span(cell, "rowspan", height)
            taken |= {(number + down, place + right) for down in range(height) for right in range(columns)}
    return 1 + max((column for _, column in taken), default=-1)


def _places(row: list[Any], number: int, taken: set[tuple[int, int]]) -> Iterator[tuple[int, Any]]:
    """Yield each cell with the first column that is free for it."""
    column = 0
    for cell in row:
        while (number, column) in taken:
            column += 1
        yield column, cell


def _free_columns(cell: Any, row: int, column: int, taken: set[tuple[int, int]]) -> int:
    asked = _span(cell, "colspan", None)
    return next((width for width in range(1, asked) if (row, column + width) in taken), asked)


def _span(cell: Any, name: str, limit: int | None) -> int:
    """Return a span of a cell, from 1 to ``limit``; a rowspan of 0 is all that are left."""
    number = read_whole_number(cell.get(name, "1"), 1)
    if number == 0:
        number = limit or 1
    return number if limit is None else min(number, limit)


def _set_span(cell: Any, name: str, number: int) -> None:
    if name in cell.attrib and cell.get(name) != str(number):
        cell.set(name, str(number))


def _fill_rows(row_elements: list[Any], rows: list[list[Any]], columns: int) -> None:
    """Add the cells that rows lack."""
    covered = [0] * len(rows)
    for number, row in enumerate(rows):
        for cell in row:
            for down in range(_span(cell, "rowspan", len(rows) - number)):
                covered[number + down] += _span(cell, "colspan", None)
    for row_element, cells in zip(row_elements, covered, strict=True):
        for _ in range(columns - cells):
            SubElement(row_element, "td")


def _set_scopes(table: Any) -> None:
    heads = {row for group in table if group.tag == "thead" for row in group}
    for rows in _row_groups(table):
        for row in rows:
            is_column = row in heads or all(cell.tag == "th" for cell in _cells(row))
            _set_scopes_of_row(_cells(row), is_column=is_column)


def _set_scopes_of_row(cells: list[Any], *, is_column: bool) -> None:
    for place, cell in enumerate(cells):
        if cell.tag == "th" and not cell.get("scope"):
            is_first = all(other.tag == "th" for other in cells[:place])
            cell.set("scope", "row" if is_first and not is_column else "col")
