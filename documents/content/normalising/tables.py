"""Give tables the heads that their authors drew with bold or shaded cells, and their columns the widths."""

import re
from collections.abc import Iterable, Sequence

from documents.content.normalising import css
from documents.content.normalising.losses import Losses
from documents.content.normalising.tree import Element, Node, elements_in, is_blank, iter_elements
from documents.whole_numbers import read_whole_number

CELLS = frozenset({"td", "th"})
GROUPS = ("thead", "tbody", "tfoot")
BOLD = frozenset({"b", "strong"})
SHARE = re.compile(r"([0-9]{0,9}\.?[0-9]{1,20})\s*%")
MAX_SPAN_DIGITS = 4
COLOURED_CELLS = "colours of table cells are not printed"


def tidy(root: Element, losses: Losses) -> None:
    """Tidy all tables in ``root``."""
    for table in [element for element in iter_elements(root) if element.tag == "table"]:
        _tidy_table(table, losses)


def _tidy_table(table: Element, losses: Losses) -> None:
    groups = [child for child in elements_in(table) if child.tag in GROUPS]
    for row in (row for group in groups for row in _rows(group)):
        _align_cells(row)
    _count_colours(groups, losses)
    _write_widths(table, groups)
    _write_head(table, groups)
    _write_first_column(table)


def _rows(group: Element) -> list[Element]:
    return [child for child in elements_in(group) if child.tag == "tr"]


def _cells(row: Element) -> list[Element]:
    return [child for child in elements_in(row) if child.tag in CELLS]


def _align_cells(row: Element) -> None:
    """Give a row's alignment to its cells."""
    align = row.style.get("text-align") or row.attributes.get("align", "").lower()
    for cell in _cells(row) if align else ():
        if "align" in cell.attributes:
            continue
        cell.style = {"text-align": align, **cell.style}


def _count_colours(groups: Sequence[Element], losses: Losses) -> None:
    for row in (row for group in groups for row in _rows(group)):
        if any(css.is_coloured(_background(cell, row)) for cell in _cells(row)):
            losses.add(COLOURED_CELLS)


def _background(cell: Element, row: Element) -> css.Colour | None:
    own = css.background(cell.style, cell.attributes.get("bgcolor", ""))
    return own or css.background(row.style, row.attributes.get("bgcolor", ""))


def _write_head(table: Element, groups: Sequence[Element]) -> None:
    """Move the rows that are a head into a ``thead``, which is printed on each page."""
    for head in (group for group in groups if group.tag == "thead"):
        for cell in (cell for row in _rows(head) for cell in _cells(row)):
            _make_head(cell)
    if not groups or any(group.tag == "thead" for group in groups) or groups[0].tag != "tbody":
        return
    rows = _rows(groups[0])
    count = _count_head_rows(rows)
    if not 0 < count < len(rows):
        return
    head, moved = Element("thead"), rows[:count]
    for row in moved:
        for cell in _cells(row):
            _make_head(cell)
    head.children.extend(moved)
    groups[0].children = [child for child in groups[0].children if not any(child is row for row in moved)]
    table.children.insert(table.children.index(groups[0]), head)


def _count_head_rows(rows: Sequence[Element]) -> int:
    """Return how many rows are a head: of ``th``, or one that is bold or shaded while the next is not."""
    count = 0
    while count < len(rows) and _is_row_of_heads(rows[count]):
        count += 1
    if count == 0 and len(rows) > 1 and _stands_out(rows[0]):
        count = _height(rows[0])
        if count >= len(rows) or all(_stands_out(row) for row in rows[count:]):
            return 0
        if any(_cells(row) and not _stands_out(row) for row in rows[1:count]):
            return 0
    is_cut = any(
        _row_span(cell) > count - number for number, row in enumerate(rows[:count]) for cell in _cells(row)
    )
    return 0 if is_cut else count


def _is_row_of_heads(row: Element) -> bool:
    cells = _cells(row)
    return bool(cells) and all(cell.tag == "th" and cell.attributes.get("scope") != "row" for cell in cells)


def _height(row: Element) -> int:
    return max((_row_span(cell) for cell in _cells(row)), default=1)


def _row_span(cell: Element) -> int:
    span = cell.attributes.get("rowspan", "1")
    return max(1, read_whole_number(span, 1, MAX_SPAN_DIGITS))


def _stands_out(row: Element) -> bool:
    """Return True if all cells that hold something are bold, or all are shaded."""
    cells = _cells(row)
    filled = [cell for cell in cells if not is_blank(cell)]
    is_shaded = all(css.is_shaded(_background(cell, row)) for cell in cells)
    return bool(filled) and (is_shaded or all(_is_bold(cell) for cell in filled))


def _is_bold(node: Element) -> bool:
    """Return True if all text of a cell is bold."""
    if node.tag in BOLD or node.tag == "th":
        return True
    if node.tag in {"img", "table"}:
        return False
    parts = [child for child in node.children if not is_blank(child)]
    return bool(parts) and all(isinstance(child, Element) and _is_bold(child) for child in parts)


def _write_first_column(table: Element) -> None:
    """Make the first cell of each row a head if all of them are bold or shaded and no other cells are."""
    rows = [row for group in elements_in(table) if group.tag == "tbody" for row in _rows(group)]
    firsts = [(cells[0], row) for row in rows if len(cells := _cells(row)) > 1]
    others = [(cell, row) for row in rows for cell in _cells(row)[1:] if not is_blank(cell)]
    if (
        len(firsts) < 2
        or len(firsts) < len(rows)
        or not others
        or any(first.tag == "th" for first, _ in firsts)
    ):
        return
    if not _all_stand_out(firsts) or any(_is_bold(cell) for cell, _ in others):
        return
    if any(css.is_shaded(_background(cell, row)) for cell, row in others):
        return
    for first, _ in firsts:
        _make_head(first)
        first.attributes["scope"] = "row"


def _all_stand_out(cells: Iterable[tuple[Element, Element]]) -> bool:
    shaded = [css.is_shaded(_background(cell, row)) for cell, row in cells]
    return all(shaded) or all(_is_bold(cell) for cell, _ in cells)


def _make_head(cell: Element) -> None:
    """Make a cell a head, which is bold without being told so."""
    if cell.tag == "td":
        cell.tag = "th"
        cell.children = _without_bold(cell.children)


def _without_bold(nodes: Iterable[Node]) -> list[Node]:
    plain: list[Node] = []
    for node in nodes:
        if isinstance(node, Element):
            node.children = _without_bold(node.children)
        if isinstance(node, Element) and node.tag in BOLD:
            plain.extend(node.children)
        else:
            plain.append(node)
    return plain


def _write_widths(table: Element, groups: Sequence[Element]) -> None:
    """Write the widths of columns as shares of the table, from its ``col`` elements or a row without spans."""
    columns = [element for element in iter_elements(table) if element.tag == "col" and _is_of(element, table)]
    written = [_width(column) for column in columns] if columns else _widths_of_row(groups)
    shares = _shares(written)
    if any(shares):
        _write_columns(table, columns or [Element("col") for _ in shares], shares)


def _is_of(column: Element, table: Element) -> bool:
    parents = [table, *(child for child in elements_in(table) if child.tag == "colgroup")]
    return any(child is column for parent in parents for child in parent.children)


def _widths_of_row(groups: Sequence[Element]) -> list[str]:
    rows = [_cells(row) for group in groups for row in _rows(group)]
    width = max((len(cells) for cells in rows), default=0)
    for cells in rows:
        if len(cells) == width and not any("colspan" in cell.attributes for cell in cells):
            return [_width(cell) for cell in cells] if width > 1 else []
    return []


def _width(element: Element) -> str:
    return element.style.get("width") or element.attributes.get("width", "").strip().lower()


def _shares(widths: Sequence[str]) -> list[int]:
    """Return the width of each column in percent, 0 for one that is not said."""
    if any(width.endswith("%") for width in widths):
        return [_percent(width) for width in widths]
    pixels = [css.to_pixels(width) or 0.0 for width in widths]
    total = sum(pixels)
    if not total or not all(size > 0 for size in pixels):
        return []
    return [max(1, round(100 * size / total)) for size in pixels]


def _percent(width: str) -> int:
    share = SHARE.fullmatch(width)
    return min(100, max(1, round(float(share[1])))) if share else 0


def _write_columns(table: Element, columns: Sequence[Element], shares: Sequence[int]) -> None:
    for column, share in zip(columns, shares, strict=True):
        column.style = {}
        column.attributes = {name: column.attributes[name] for name in ("span",) if name in column.attributes}
        if share:
            column.attributes["width"] = f"{share}%"
    if not any(child.tag in {"col", "colgroup"} for child in elements_in(table)):
        after_caption = sum(child.tag == "caption" for child in elements_in(table)[:1])
        table.children.insert(after_caption, Element("colgroup", children=list(columns)))
