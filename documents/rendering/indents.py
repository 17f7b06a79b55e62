"""Bound how far lists, quotations and indents in each other move the text to the right, so that some width is left."""

from typing import Any

# In millimetres, as in report.css.
WIDTHS = {"ul": 5.5, "ol": 5.5, "blockquote": 5.9, "dd": 5.5}
CLASSES = {"hanging": 8.0, **{f"indent-{level}": 8.0 * level for level in range(1, 9)}}
MAX_MM, MAX_IN_CELL_MM = 80.0, 24.0
CELLS = frozenset({"td", "th"})
UNINDENTED = "unindented"


def bound(element: Any, left_mm: float = MAX_MM) -> None:
    """Take the indents of elements that have none left."""
    for child in element:
        if isinstance(child.tag, str):
            inside = min(left_mm, MAX_IN_CELL_MM) if child.tag in CELLS else left_mm
            indent = _indent_mm(child)
            if indent > inside:
                child.set("class", f"{child.get('class', '')} {UNINDENTED}".strip())
                indent = 0.0
            bound(child, inside - indent)


def _indent_mm(element: Any) -> float:
    classes = element.get("class", "").split()
    return WIDTHS.get(element.tag, 0.0) + sum(CLASSES.get(name, 0.0) for name in classes)
