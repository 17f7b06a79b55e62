"""Write what is said of a block in our own attributes and classes, and drop all others."""

import re

from documents.content.normalising import css
from documents.content.normalising.anchors import Anchors
from documents.content.normalising.list_items import INDENT_PIXELS, QUILL_INDENT
from documents.content.normalising.tables import CELLS
from documents.content.normalising.tasks import DONE, OPEN
from documents.content.normalising.tree import (
    BLOCKS,
    HEADINGS,
    Element,
)

ALIGNMENTS = {"center": "center", "-webkit-center": "center", "right": "right", "-webkit-right": "right"}
ALIGNMENTS |= {"end": "right", "justify": "justify", "left": "left", "start": "left"}
# Of Quill, CKEditor, Gutenberg and stylesheets in wide use.
CLASS_ALIGNMENT = re.compile(r"^(?:ql-align|(?:has-)?text(?:-align)?|align)-?(center|right|justify)$")
ALIGNED = frozenset({"p", "div", "li", "blockquote", *HEADINGS, *CELLS})
INDENTED = frozenset({"p", "div", "blockquote", *HEADINGS})
MAX_INDENT = 8
EDITOR_INDENT_PIXELS = 40.0
HANGING = "hanging"
KEPT = {
    "ol": ("class", "start", "type"),
    "ul": ("class",),
    "li": ("value",),
    "col": ("span", "width"),
    "colgroup": ("span",),
    "img": ("src", "alt", "title"),
    "a": ("href", "id", "title"),
    "td": ("colspan", "rowspan"),
    "th": ("colspan", "rowspan", "scope"),
}
INLINE_KEPT = ("lang", "dir", "title")


def finish(root: Element, anchors: Anchors) -> None:
    """Write the final attributes of everything in ``root``."""
    _finish_children(root, anchors, inherited="left")


def _finish_children(parent: Element, anchors: Anchors, inherited: str) -> None:
    for child in parent.children:
        if isinstance(child, str):
            continue
        align = _alignment(child) or inherited
        attributes = _attributes(child, anchors)
        if child.tag in ALIGNED and align != inherited:
            attributes["style"] = f"text-align:{align}"
        child.attributes, child.style = attributes, {}
        if child.tag == "pre":
            _strip_first_line(child)
        _finish_children(child, anchors, "left" if child.tag in CELLS and not _has_align(child) else align)


def _has_align(element: Element) -> bool:
    return "style" in element.attributes


def _alignment(element: Element) -> str:
    """Return how a block is aligned, or an empty text if it does not say."""
    for name in element.classes if "class" in element.attributes else ():
        if match := CLASS_ALIGNMENT.match(name):
            return match[1]
    if not element.style and not element.attributes:
        return ""
    written = element.style.get("text-align") or element.attributes.get("align", "").lower()
    return ALIGNMENTS.get(written, "") if element.tag in ALIGNED else ""


def _attributes(element: Element, anchors: Anchors) -> dict[str, str]:
    if not element.attributes and not element.style:
        return {}
    kept = {
        name: element.attributes[name] for name in KEPT.get(element.tag, ()) if name in element.attributes
    }
    if element.tag not in BLOCKS:
        return kept | {name: element.attributes[name] for name in INLINE_KEPT if name in element.attributes}
    if element.tag == "li" and (state := next((s for s in (DONE, OPEN) if element.has_class(s)), "")):
        kept["class"] = state
    if element.tag in INDENTED and (names := _indent_classes(element)):
        kept["class"] = names
    if identifier := anchors.take(element):
        kept["id"] = identifier
    return kept | _language(element)


def _language(element: Element) -> dict[str, str]:
    language = element.attributes.get("lang", "")
    kept = {"lang": language} if language else {}
    return kept | ({"dir": "rtl"} if "dir" in element.attributes else {})


def _indent_classes(element: Element) -> str:
    """Return the class for a block's indent or its hanging first line."""
    names = element.classes if "class" in element.attributes else []
    if HANGING in names:
        return HANGING
    pixels = css.left_margin(element.style) or 0.0
    first_line = css.to_pixels(element.style.get("text-indent", "")) or 0.0 if pixels > 0 else 0.0
    if first_line <= -EDITOR_INDENT_PIXELS / 4:
        return HANGING
    level = _level_by_class(names) or (_level_by_margin(pixels) if element.tag != "blockquote" else 0)
    return f"indent-{level}" if level else ""


def _level_by_class(names: list[str]) -> int:
    for name in names:
        if match := QUILL_INDENT.match(name):
            return min(int(match[1]), MAX_INDENT)
        if name.removeprefix("indent-") in set("12345678"):
            return int(name[-1])
    return 0


def _level_by_margin(pixels: float) -> int:
    step = INDENT_PIXELS if pixels % INDENT_PIXELS < 1 else EDITOR_INDENT_PIXELS
    return max(0, min(round(pixels / step), MAX_INDENT))


def _strip_first_line(pre: Element) -> None:
    """Drop empty first lines, of which HTML does not count the first."""
    while pre.children and isinstance(first := pre.children[0], str):
        pre.children[0] = first.lstrip("\r\n")
        if pre.children[0]:
            return
        del pre.children[0]
