"""Draw the markers of lists where they are read: WeasyPrint draws all of a page after its texts."""

import functools
from typing import Any


@functools.cache
def draw_markers_in_order() -> None:
    """Have WeasyPrint draw each marker before the text of its list item."""
    from weasyprint import draw, stacking

    dispatch, draw_inline, draw_blocks = stacking._dispatch, draw.draw_inline_level, draw.draw_block_level

    def dispatch_in_order(box: Any, page: Any, *contexts: Any) -> Any:
        if box.is_outside_marker:
            return stacking.StackingContext.from_box(getattr(box, "_box", box), page)
        return dispatch(box, page, *contexts)

    def draw_inline_in_order(stream: Any, page: Any, box: Any, *style: Any) -> None:
        if _is_marker(box):
            draw.draw_stacking_context(stream, box)
        else:
            draw_inline(stream, page, box, *style)

    def draw_blocks_in_order(page: Any, stream: Any, blocks_and_cells: dict[Any, Any]) -> None:
        for block, inner in blocks_and_cells.items():
            children = block.children
            if children and _is_marker(children[0]) and not _is_line(children[-1]):
                draw.draw_stacking_context(stream, children[0])
            draw_blocks(page, stream, {block: inner})

    stacking._dispatch = dispatch_in_order
    draw.draw_inline_level, draw.draw_block_level = draw_inline_in_order, draw_blocks_in_order


def _is_marker(box: Any) -> bool:
    from weasyprint.stacking import StackingContext

    return isinstance(box, StackingContext) and box.box.is_outside_marker


def _is_line(box: Any) -> bool:
    from weasyprint.formatting_structure.boxes import LineBox

    return isinstance(box, LineBox)
