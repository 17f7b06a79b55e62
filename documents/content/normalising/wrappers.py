"""Take away what programs wrap around a text and what only they need: sections, runs, comments, empty lines."""

from documents.content.normalising import embeds
from documents.content.normalising.losses import Losses
from documents.content.normalising.tree import (
    BLANKS,
    BLOCKS,
    Element,
    Node,
    Wrap,
    has_blocks,
    is_blank,
    text_of,
    wrapped,
)

COMMENT_CLASSES = ("msocomanchor", "MsoCommentReference", "msocomtxt")
COMMENTS = "a comment of the word processor is not printed"
# They have a meaning, or a replacement, of their own.
NAMED = BLOCKS | embeds.REPLACEMENTS.keys() | {"a", "abbr", "label", "q", "summary"}
LOOKS = frozenset(
    {"font-style", "font-weight", "margin", "margin-left", "padding-left", "text-align", "white-space"}
)
# Boxes of Word on the web: each paragraph, list and table has one.
TRANSPARENT_CLASSES = (
    "ListContainerWrapper",
    "OutlineElement",
    "TableContainer",
    "TableCellContent",
    "WordSection1",
)


def tidy(root: Element, losses: Losses) -> None:
    """Unwrap boxes without a meaning, and drop comments and the empty paragraphs of word processors."""
    _tidy(root, losses)


def _tidy(parent: Element, losses: Losses) -> None:
    children: list[Node] = []
    for child in parent.children:
        if isinstance(child, str):
            children.append(child)
            continue
        if _is_comment(child):
            losses.add(COMMENTS)
            continue
        _tidy(child, losses)
        if child.has_class("ql-code-block-container"):
            children.append(_code_of(child))
        elif _is_plain_box(child):
            children.extend(wrapped(node, child.wraps) for node in child.children)
        elif _is_inline_box(child):
            outside = (*child.wraps, Wrap(child.tag, child.style))
            children.extend(wrapped(node, outside) for node in child.children)
        elif not _is_filler(child):
            children.append(child)
    parent.children = children


def _code_of(container: Element) -> Element:
    """Return a code block of Quill, which has an element for each line."""
    lines = [text_of(child) for child in container.children if isinstance(child, Element)]
    return Element("pre", children=["\n".join(lines)], wraps=container.wraps)


def _is_comment(element: Element) -> bool:
    if not element.style and "class" not in element.attributes:
        return False
    return element.style.get("mso-element", "").startswith("comment") or element.has_class(*COMMENT_CLASSES)


def _is_inline_box(element: Element) -> bool:
    """Return True for an inline or unknown element around blocks, such as Word's content controls."""
    return element.tag not in NAMED and has_blocks(element)


def _is_plain_box(element: Element) -> bool:
    """Return True for a box that only holds blocks and does not change their look."""
    is_box = element.tag == "div" and ("class" in element.attributes or "mso-element" in element.style)
    if not is_box or not has_blocks(element):
        return False
    if element.has_class(*TRANSPARENT_CLASSES) or "mso-element" in element.style:
        return True
    is_described = bool(element.style.keys() & LOOKS or element.attributes.keys() - {"class"})
    return not (is_described or _is_ours(element) or _has_line(element))


def _has_line(element: Element) -> bool:
    """Return True if a box has text of its own beside its blocks."""
    return any(
        bool(child.strip(BLANKS)) if isinstance(child, str) else child.tag not in BLOCKS
        for child in element.children
    )


def _is_ours(element: Element) -> bool:
    return any(name.startswith(("indent-", "hanging", "ql-")) for name in element.classes)


def _is_filler(element: Element) -> bool:
    """Return True for what Word and its kin write so that an empty paragraph has a height."""
    if element.tag == "o:p":
        return not text_of(element).strip(BLANKS)
    if element.has_class("EOP"):
        return is_blank(element)
    if element.tag == "br":
        return "page-break-before" in element.style or "clear" in element.attributes
    return (
        element.tag == "p"
        and "class" in element.attributes
        and any(name.startswith("Mso") for name in element.classes)
        and is_blank(element)
    )
