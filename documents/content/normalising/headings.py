"""Find the headings of every program, and bring them below the titles of our sections without a gap."""

import re

from documents.content.normalising.sources import Source
from documents.content.normalising.tree import HEADINGS, Element, Node, Run, is_blank

FIRST_LEVEL, LAST_LEVEL = 2, 5
TITLE_LEVEL, SUBTITLE_LEVEL = 0, 1
WORD_HEADING = re.compile(r"^MsoHeading([7-9])$")


def relevel(root: Element, source: Source) -> None:
    """Turn headings into ``h2`` to ``h5``: the ranks of the levels used, and never two steps down at once."""
    headings: list[tuple[Element, int]] = []
    _collect(root, source, headings)
    levels = sorted({level for _, level in headings})
    if not levels:
        return
    first = max(FIRST_LEVEL, min(levels[0], LAST_LEVEL + 1 - len(levels)))
    ranks = {level: min(first + rank, LAST_LEVEL) for rank, level in enumerate(levels)}
    previous = first
    for heading, level in headings:
        previous = min(ranks[level], previous + 1)
        heading.tag = f"h{previous}"


def _collect(parent: Element, source: Source, headings: list[tuple[Element, int]]) -> None:
    children: list[Node] = []
    for child in parent.children:
        if not isinstance(child, Element):
            children.append(child)
            continue
        level = _level(child, source)
        if level is not None and is_blank(child):
            continue
        if level is not None:
            headings.append((child, level))
        children.append(child)
        _collect(child, source, headings)
    parent.children = children


def _level(element: Element, source: Source) -> int | None:
    """Return a heading's level as its program counts, from 0 for a title, or None if it is no heading."""
    if element.tag in HEADINGS:
        return int(element.tag[1])
    if element.tag not in {"p", "div"}:
        return None
    if source is Source.GOOGLE_DOCS and _is_large(element):
        return TITLE_LEVEL
    return _level_by_attributes(element) if element.attributes or element.style else None


def _level_by_attributes(element: Element) -> int | None:
    if element.attributes.get("role") == "heading":
        return _number(element.attributes.get("aria-level", "2"))
    if element.has_class("MsoTitle"):
        return TITLE_LEVEL
    if element.has_class("MsoSubtitle"):
        return SUBTITLE_LEVEL
    for name in element.classes if "class" in element.attributes else ():
        if match := WORD_HEADING.match(name):
            return int(match[1])
    return _number(element.style.get("mso-outline-level", ""))


def _number(text: str) -> int | None:
    return int(text) if text in set("123456789") else None


def _is_large(paragraph: Element) -> bool:
    """Return True if all text of a paragraph is as large as a title; smaller sizes are not kept in styles."""
    texts = [child for child in paragraph.children if not is_blank(child)]
    return bool(texts) and all(
        isinstance(text, Run) and any("font-size" in wrap.style for wrap in text.wraps) for text in texts
    )
