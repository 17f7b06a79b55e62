"""Take away what programs wrap around a text and what only they need: sections, runs, comments, empty lines."""

from documents.content.normalising.losses import Losses
from documents.content.normalising.tree import BLANKS, Element, Node, has_blocks, is_blank, text_of

COMMENT_CLASSES = ("msocomanchor", "MsoCommentReference", "msocomtxt")
COMMENTS = "a comment of the word processor is not printed"
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
        _tidy(child, losses)
        if not child.attributes and not child.style and child.tag not in {"div", "o:p"}:
            children.append(child)
        elif _is_comment(child):
            losses.add(COMMENTS)
        elif _is_plain_box(child):
            children.extend(child.children)
        elif not _is_filler(child):
            children.append(child)
    parent.children = children


def _is_comment(element: Element) -> bool:
    return element.style.get("mso-element", "").startswith("comment") or element.has_class(*COMMENT_CLASSES)


def _is_plain_box(element: Element) -> bool:
    """Return True for a box that only holds blocks and does not change their look."""
    if element.tag != "div" or not has_blocks(element):
        return False
    if element.has_class(*TRANSPARENT_CLASSES) or "mso-element" in element.style:
        return True
    is_aligned = "text-align" in element.style or "align" in element.attributes
    has_text = any(isinstance(child, str) and child.strip(BLANKS) for child in element.children)
    has_inline = any(isinstance(child, Element) and not _is_block(child) for child in element.children)
    return not (is_aligned or has_text or has_inline or _says_something(element))


def _is_block(element: Element) -> bool:
    return has_blocks(Element("div", children=[element]))


def _says_something(element: Element) -> bool:
    meaningful = ("margin-left", "padding-left", "margin", "font-weight", "font-style", "white-space")
    return any(name in element.style for name in meaningful) or bool(
        {"id", "dir", "lang", "data-oembed-url", "data-type"} & element.attributes.keys()
    )


def _is_filler(element: Element) -> bool:
    """Return True for what Word and its kin write so that an empty paragraph has a height."""
    if element.tag == "o:p":
        return not text_of(element).strip(BLANKS)
    if element.has_class("EOP"):
        return is_blank(element)
    if element.tag == "br":
        return "page-break-before" in element.style
    return (
        element.tag == "p"
        and "class" in element.attributes
        and any(name.startswith("Mso") for name in element.classes)
        and is_blank(element)
    )
