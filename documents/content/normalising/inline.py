"""Rebuild the text of each block from runs: one element for each thing that is said of a run, none for nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from documents import characters
from documents.content.normalising import marks, symbol_fonts, whitespace
from documents.content.normalising.anchors import Anchors
from documents.content.normalising.losses import Losses
from documents.content.normalising.marks import Mark, Marks
from documents.content.normalising.tree import (
    BLOCKS,
    HEADINGS,
    LISTS,
    Element,
    Node,
    Wraps,
    has_target,
    is_blank,
    text_of,
    wraps_of,
)

COLOURS = "text colours are not printed"
LOCAL_LINK = "a link to a file on a computer is not kept, only its text"
INCOMPLETE_LINK = "a link without a complete address is not kept, only its text; write it with https://"
FOLDED_SPACES = " \t\n\r\f"
CHANGING = frozenset({"pre", "th", *HEADINGS})
PARTS_ONLY = frozenset({"colgroup", "table", "tbody", "tfoot", "thead", "tr", *LISTS})
LINES_ONLY = frozenset({"p", *HEADINGS})
BREAKS = frozenset({"br", "wbr"})
# Marks that nobody sees on a space.
UNSEEN_ON_SPACES = frozenset({"bold", "italic"})


@dataclass(slots=True, eq=False)
class Context:
    """What a piece of text inherits from the elements around it; ``inner`` are those of wraps in it, by their id."""

    marks: Marks = ()
    keeps_spaces: bool = False
    is_code: bool = False
    is_coloured: bool = False
    symbol_font: str = ""
    inner: dict[int, "Context"] = field(default_factory=dict)

    def within(self, wraps: Wraps) -> "Context":
        """Return the context of what is in inline elements."""
        if not wraps:
            return self
        if (context := self.inner.get(id(wraps))) is None:
            context = self.inner[id(wraps)] = self._within(wraps)
        return context

    def _within(self, wraps: Wraps) -> "Context":
        context = Context(self.marks, self.keeps_spaces, self.is_code, self.is_coloured, self.symbol_font)
        for wrap in wraps:
            context.marks = marks.of_wrap(wrap, context.marks)
            context.keeps_spaces = whitespace.is_preserved(wrap.style, inherited=context.keeps_spaces)
            context.is_code = context.is_code or wrap.tag == "code"
            context.is_coloured = context.is_coloured or "color" in wrap.style
            context.symbol_font = _symbol_font(wrap.style) or context.symbol_font
        return context

    def within_block(self, block: Element) -> "Context":
        """Return the context of what is in a block."""
        if not block.style and block.tag not in CHANGING:
            return self
        return Context(
            marks=marks.of_block(block, self.marks),
            keeps_spaces=whitespace.is_preserved(block.style, inherited=self.keeps_spaces),
            is_code=self.is_code or block.tag == "pre",
            is_coloured="color" in block.style,
        )

    def within_inline(self, element: Element, serial: int) -> "Context":
        """Return the context of what is in an inline element that is more than its look."""
        return Context(
            marks=marks.of_inline(element, self.marks, serial),
            keeps_spaces=whitespace.is_preserved(element.style, inherited=self.keeps_spaces),
            is_code=self.is_code,
            is_coloured=self.is_coloured or "color" in element.style,
            symbol_font=self.symbol_font,
        )


@dataclass(slots=True)
class Line:
    """The inline content of a block while it is built; ``open_marks`` are those of the last run, outermost first."""

    output: list[Node] = field(default_factory=list)
    open_marks: list[tuple[Mark, Element]] = field(default_factory=list)
    last_marks: Marks = ()
    has_blocks: bool = False

    def add(self, node: Node, node_marks: Marks) -> None:
        """Add a run under its marks, in the elements that are open for the same ones."""
        if node_marks is not self.last_marks:
            self._open(node_marks)
        children = self.open_marks[-1][1].children if self.open_marks else self.output
        children.append(node)

    def add_unmarked(self, node: Node, node_marks: Marks) -> None:
        """Add what looks the same in bold and italic under the marks that are open, and the others of its own."""
        shared = self._count_shared(node_marks)
        others = (mark for mark in node_marks[shared:] if mark.group not in UNSEEN_ON_SPACES)
        self.add(node, (*node_marks[:shared], *others))

    def add_blocks(self, blocks: list[Node]) -> None:
        """Add blocks, which end the line."""
        self.open_marks.clear()
        self.last_marks = ()
        self.has_blocks = True
        self.output.extend(blocks)

    def _open(self, node_marks: Marks) -> None:
        shared = self._count_shared(node_marks)
        del self.open_marks[shared:]
        for mark in node_marks[shared:]:
            element = Element(mark.tag, dict(mark.attributes))
            children = self.open_marks[-1][1].children if self.open_marks else self.output
            children.append(element)
            self.open_marks.append((mark, element))
        self.last_marks = node_marks

    def _count_shared(self, node_marks: Marks) -> int:
        count = 0
        for (mark, _), other in zip(self.open_marks, node_marks, strict=False):
            if mark != other:
                break
            count += 1
        return count


class Rebuilder:
    """Rebuilds the text of a whole tree."""

    def __init__(self, anchors: Anchors, losses: Losses) -> None:
        self._anchors = anchors
        self._losses = losses
        self._serial = 0

    def rebuild(self, block: Element, context: Context) -> list[Node]:
        """Replace the content of a block; return what stands in its place."""
        line = Line()
        holds_blocks_only = block.tag in PARTS_ONLY
        for child in block.children:
            if not (holds_blocks_only and _is_space(child)):
                self._add(child, context, line)
            elif block.tag in LISTS and "\n" in text_of(child):
                line.output.append("\n")
        block.children = line.output
        is_broken = block.tag in LINES_ONLY and line.has_blocks
        return _split(block) if is_broken else [block]

    def _add(self, node: Node, context: Context, line: Line) -> None:
        context = context.within(wraps_of(node))
        if isinstance(node, str):
            self._add_text(str(node), context, line)
        elif node.tag in BLOCKS:
            blocks = self.rebuild(node, context.within_block(node))
            if node.tag not in LISTS or any(not _is_space(child) for child in node.children):
                line.add_blocks(blocks)
        elif node.tag in BREAKS:
            line.add_unmarked(Element(node.tag), context.marks)
        elif node.tag == "img":
            line.add_unmarked(node, context.marks)
        else:
            self._add_inline(node, context, line)

    def _add_inline(self, element: Element, context: Context, line: Line) -> None:
        self._serial += 1
        if (anchor := self._anchors.target(element)) is not None:
            line.add(anchor, marks.without(context.marks, "link"))
        if element.tag == "a":
            self._count_lost_link(element)
        inside = context.within_inline(element, self._serial)
        for child in element.children:
            self._add(child, inside, line)

    def _count_lost_link(self, link: Element) -> None:
        address = link.attributes.get("href", "").strip()
        if address.lower().startswith("file:"):
            self._losses.add(LOCAL_LINK)
        elif address and not marks.address_of(link):
            self._losses.add(INCOMPLETE_LINK)

    def _add_text(self, text: str, context: Context, line: Line) -> None:
        if not text:
            return
        if characters.has_separator(text):
            self._add_separated(text, context, line)
        elif context.is_code:
            line.add(text, context.marks)
        elif text.isspace() and not text.strip(FOLDED_SPACES):
            self._add_space(text, context, line)
        else:
            self._count_colour(context)
            if context.symbol_font:
                text = symbol_fonts.to_unicode(text, context.symbol_font)
            if context.keeps_spaces:
                self._add_lines(text, context, line)
            else:
                line.add(text, context.marks)

    def _add_separated(self, text: str, context: Context, line: Line) -> None:
        for number, part in enumerate(characters.split_lines(text)):
            if number and context.is_code:
                line.add("\n", context.marks)
            elif number:
                line.add_unmarked(Element("br"), context.marks)
            self._add_text(part, context, line)

    def _count_colour(self, context: Context) -> None:
        if context.is_coloured and not any(mark.tag == "a" for mark in context.marks):
            self._losses.add(COLOURS)

    @staticmethod
    def _add_space(text: str, context: Context, line: Line) -> None:
        if context.keeps_spaces and "\n" not in text:
            text = whitespace.keep_spaces(text)
        line.add_unmarked(text, context.marks)

    @staticmethod
    def _add_lines(text: str, context: Context, line: Line) -> None:
        for number, part in enumerate(whitespace.lines_of(text)):
            if number:
                line.add_unmarked(Element("br"), context.marks)
            if part.isspace():
                line.add_unmarked(whitespace.keep_spaces(part), context.marks)
            elif part:
                line.add(whitespace.keep_spaces(part), context.marks)


def _symbol_font(style: Mapping[str, str]) -> str:
    families = style.get("mso-symbol-font-family") or style.get("font-family", "")
    return symbol_fonts.symbol_font(families) if families else ""


def _is_space(node: Node) -> bool:
    return isinstance(node, str) and not node.strip()


def _split(block: Element) -> list[Node]:
    """Return a paragraph or heading that has blocks in it as several, with the blocks between them."""
    parts: list[Node] = []
    line: Element | None = None
    for child in block.children:
        if isinstance(child, Element) and child.tag in BLOCKS:
            parts.append(child)
            line = None
        elif line is not None:
            line.children.append(child)
        elif is_blank(child):
            parts += [child] if isinstance(child, Element) and has_target(child) else []
        else:
            line = Element(block.tag, block.attributes, block.style, [child])
            parts.append(line)
    return parts


def rebuild(root: Element, anchors: Anchors, losses: Losses) -> None:
    """Rebuild the text of all blocks in ``root``."""
    Rebuilder(anchors, losses).rebuild(root, Context())
