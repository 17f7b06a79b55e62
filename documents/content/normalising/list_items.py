"""Recognise the items of lists that programs write flat: with a level in place of nesting."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from documents.content.normalising import css
from documents.content.normalising.css import Stylesheet
from documents.content.normalising.markers import BULLET, LOST_MARKER, Marker, Number, parse_marker
from documents.content.normalising.tree import (
    HEADINGS,
    LISTS,
    Element,
    Wrap,
    Wraps,
    elements_in,
    iter_elements,
    replace_text,
    text_of,
    wraps_of,
)
from documents.whole_numbers import is_whole_number, read_whole_number

MSO_LIST = re.compile(r"\bl([0-9]{1,9})\s+level([0-9]{1,3})(?:\s+lfo([0-9]{1,9}))?")
# Quill, and Draft.js
QUILL_INDENT = re.compile(r"^(?:ql-indent-|public-DraftStyleDefault-depth)([0-9])$")
EXPORTED_LIST = re.compile(r"^lst-(kix_\w+)-([0-9])$")
# The list of items that do not say which one they are in.
LOST = "lost"
MAX_LEVEL = 12
MAX_START_DIGITS = 6
INDENT_PIXELS = 48.0  # of a level, in word processors: half an inch
STYLE_TYPES = {
    "lower-alpha": "a",
    "lower-latin": "a",
    "upper-alpha": "A",
    "upper-latin": "A",
    "lower-roman": "i",
    "upper-roman": "I",
    "decimal": "1",
    "decimal-leading-zero": "1",
}
WORD_TYPES = {"alpha-lower": "a", "alpha-upper": "A", "roman-lower": "i", "roman-upper": "I"}
ITEM_ATTRIBUTES = frozenset({"align", "class", "dir", "id", "lang"})
POSITIONS = frozenset({"mso-list", "margin", "margin-left", "text-indent", "padding-left"})
PARAGRAPHS = frozenset({"p", "div", *HEADINGS})


@dataclass(slots=True)
class Item:
    """An item: ``element`` is its ``li``, ``key`` tells its list from others, ``margin`` is in pixels."""

    element: Element
    level: int
    key: str
    marker: Marker
    margin: float | None = None
    start: int = 1
    fallback_type: str = ""


def word_item(paragraph: Element, sheet: Stylesheet) -> Item | None:
    """Return the item that a paragraph or heading of Word is, or None if it is none."""
    match = MSO_LIST.search(paragraph.style.get("mso-list", ""))
    if match is None:
        return _item_by_look(paragraph)
    number, level = match[1], min(int(match[2]), MAX_LEVEL)
    definition = sheet.levels.get((number, level), {})
    number_format = definition.get("mso-level-number-format", "" if not definition else "decimal")
    text, font = _take_marker(paragraph)
    is_counted = not text and number_format not in {"", "bullet", "image"}
    return Item(
        element=_as_list_item(paragraph),
        level=level,
        key=f"{number}/{match[3] or ''}",
        marker=parse_marker(text, font, number_format) if text else BULLET,
        margin=margin_of(paragraph),
        start=_start_of(definition) if is_counted else 1,
        fallback_type=WORD_TYPES.get(number_format, "1") if is_counted else "",
    )


def _start_of(definition: css.Style) -> int:
    return read_whole_number(definition.get("mso-level-start-at", ""), 1, MAX_START_DIGITS)


def _as_list_item(block: Element) -> Element:
    """Return a list item: a paragraph's content, or a heading as it is."""
    style = {name: value for name, value in block.style.items() if name not in POSITIONS}
    if _is_heading(block):
        block.style = style
        return Element("li", children=[block])
    kept = {name: value for name, value in block.attributes.items() if name in ITEM_ATTRIBUTES}
    return Element("li", kept, style, block.children, block.wraps)


def _is_heading(block: Element) -> bool:
    return (
        block.tag in HEADINGS
        or "mso-outline-level" in block.style
        or any(name.startswith(("MsoHeading", "MsoTitle")) for name in block.classes)
    )


def margin_of(paragraph: Element) -> float | None:
    """Return the left margin of a paragraph in pixels, or None if nothing says it."""
    margin = css.left_margin(paragraph.style)
    is_list_style = any(name.startswith("MsoListParagraph") for name in paragraph.classes)
    return INDENT_PIXELS if margin is None and is_list_style else margin


def _take_marker(paragraph: Element) -> tuple[str, str]:
    """Remove the marker of a paragraph and return its text and its symbol font, if it has one."""
    for parent in (paragraph, *iter_elements(paragraph)):
        for index, child in enumerate(parent.children):
            if isinstance(child, Element) and child.style.get("mso-list") == "ignore":
                del parent.children[index]
                wraps = (*parent.wraps, *child.wraps, Wrap("span", child.style), *_first_wraps(child))
                fonts = (wrap.style["font-family"] for wrap in wraps if "font-family" in wrap.style)
                return text_of(child), next(fonts, "")
    return "", ""


def _first_wraps(element: Element) -> Wraps:
    return wraps_of(element.children[0]) if element.children else ()


def _item_by_look(paragraph: Element) -> Item | None:
    """Return an item whose list was lost on its way: a list's class or a hanging indent, and a marker as text."""
    is_list_style = any(name.startswith("MsoList") for name in paragraph.classes)
    is_hanging = paragraph.style.get("text-indent", "").startswith("-")
    if paragraph.tag != "p" or not (is_list_style or is_hanging) or paragraph.style.get("mso-list"):
        return None
    match = LOST_MARKER.match(text_of(paragraph))
    if match is None:
        return None
    margin = margin_of(paragraph)
    _drop_characters(paragraph, match.end())
    level = max(1, round((margin or INDENT_PIXELS) / INDENT_PIXELS))
    marker = BULLET if len(match[1]) == 1 else parse_marker(match[1])
    return Item(_as_list_item(paragraph), min(level, MAX_LEVEL), LOST, marker, margin)


def _drop_characters(element: Element, count: int) -> int:
    """Remove the first ``count`` characters of the text; return how many are still to remove."""
    for index, child in enumerate(element.children):
        if isinstance(child, str):
            element.children[index] = replace_text(child, child[count:])
            count = max(0, count - len(child))
        elif count:
            count = _drop_characters(child, count)
    return count


def items_of_flat_list(container: Element) -> list[Item] | None:
    """Return the items of a list whose levels are attributes or classes, or None for a list that is nested."""
    if outer_level := _exported_level(container):
        return [_listed(member, *outer_level) for member in _members(container)]
    members = list(_members(container))
    if any(child.tag in LISTS for member in members for child in elements_in(member.element)):
        return None
    if any(_quill_indent(member.element) is not None for member in members):
        return [_quill_item(member, key=f"quill {id(container)}") for member in members]
    items = [_leveled_item(member) for member in members]
    return [item for item in items if item] if items and all(items) else None


def _exported_level(container: Element) -> tuple[int, str] | None:
    """Return the level of a list's items and their list in a file of Google Docs, which has no nested lists."""
    matches = map(EXPORTED_LIST.match, container.classes if "class" in container.attributes else ())
    return next(((int(match[2]) + 1, match[1]) for match in matches if match), None)


@dataclass(frozen=True, slots=True)
class Member:
    """An ``li``, the list that it is in, and its position there, from 0."""

    element: Element
    container: Element
    position: int


def _members(container: Element) -> Iterator[Member]:
    """Yield the items of a list and of lists that are directly in it."""
    position = 0
    for child in elements_in(container):
        if child.tag == "li":
            yield Member(child, container, position)
            position += 1
        elif child.tag in LISTS:
            yield from _members(child)


def _leveled_item(member: Member) -> Item | None:
    element = member.element
    if match := MSO_LIST.search(element.style.get("mso-list", "")):
        return _listed(member, int(match[2]), f"{match[1]}/{match[3] or ''}")
    level = element.attributes.get("data-aria-level") or element.attributes.get("aria-level", "")
    if is_whole_number(level) and (
        "data-listid" in element.attributes or element.has_class("OutlineElement")
    ):
        return _listed(member, int(level), element.attributes.get("data-listid", "web"))
    return None


def _listed(member: Member, level: int, key: str) -> Item:
    """Return an item of a real list of Word, where an item or a run of items has a list of its own."""
    container = member.container
    start = container.attributes.get("start", "")
    value = int(start) + member.position if is_whole_number(start, MAX_START_DIGITS) else 0
    list_type = _type_of(member) if container.tag == "ol" else ""
    marker = Marker(numbers=(Number(list_type, value),)) if list_type and value else BULLET
    return Item(member.element, max(1, min(level, MAX_LEVEL)), key, marker, fallback_type=list_type)


def _type_of(member: Member) -> str:
    style = member.element.style.get("list-style-type") or member.container.style.get("list-style-type", "")
    written = member.container.attributes.get("type", "1")
    return STYLE_TYPES.get(style) or (written if written in set("1aAiI") else "1")


def _quill_indent(element: Element) -> int | None:
    """Return the indent of an item of Quill, from 0, or None if nothing marks it as one."""
    for name in element.classes:
        if match := QUILL_INDENT.match(name):
            return int(match[1])
    return 0 if "data-list" in element.attributes else None


def _quill_item(member: Member, key: str) -> Item:
    indent = _quill_indent(member.element) or 0
    kind = member.element.attributes.get("data-list", "ordered" if member.container.tag == "ol" else "bullet")
    list_type = "1ai"[indent % 3] if kind == "ordered" else ""
    return Item(member.element, min(indent + 1, MAX_LEVEL), f"{key} {kind}", BULLET, fallback_type=list_type)
