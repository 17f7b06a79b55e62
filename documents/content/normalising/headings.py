"""Find the headings of every program, and bring them below the titles of our sections without a gap."""

import re

from documents.content.normalising.sources import Source
from documents.content.normalising.tree import (
    HEADINGS,
    Element,
    Node,
    Run,
    is_blank,
    iter_elements,
    targets_in,
)

FIRST_LEVEL, LAST_LEVEL = 2, 5
TITLE_LEVEL, SUBTITLE_LEVEL = 0, 1
WORD_HEADING = re.compile(r"^MsoHeading([7-9])$")


def mark(root: Element, source: Source) -> None:
    """Make headings of all that is one in its program, at the level that it has there."""
    children: list[Node] = []
    for child in root.children:
        if isinstance(child, Element):
            if (level := _level(child, source)) is not None:
                child.tag = f"h{level}"
            if child.tag in HEADINGS and is_blank(child):
                children += targets_in(child)
                continue
            mark(child, source)
        children.append(child)
    root.children = children


def relevel(root: Element) -> None:
    """Turn headings into ``h2`` to ``h5``: the ranks of the levels used, and never two steps down at once."""
    headings = [element for element in iter_elements(root) if element.tag in HEADINGS]
    levels = sorted({int(heading.tag[1]) for heading in headings})
    if not levels:
        return
    first = max(FIRST_LEVEL, min(levels[0], LAST_LEVEL + 1 - len(levels)))
    ranks = {level: min(first + rank, LAST_LEVEL) for rank, level in enumerate(levels)}
    previous = first
    for heading in headings:
        previous = min(ranks[int(heading.tag[1])], previous + 1)
        heading.tag = f"h{previous}"


def _level(element: Element, source: Source) -> int | None:
    """Return a heading's level as its program counts, from 0 for a title, or None if it is no heading."""
    if element.tag not in {"p", "div"}:
        return None
    if source is Source.GOOGLE_DOCS and _is_large(element):
        return TITLE_LEVEL
    return _level_by_attributes(element) if element.attributes or element.style else None


def _level_by_attributes(element: Element) -> int | None:
    if element.attributes.get("role") == "heading":
        return _number(element.attributes.get("aria-level", "2"))
    for name in element.classes if "class" in element.attributes else ():
        if name.startswith("MsoTitle"):
            return TITLE_LEVEL
        if name.startswith("MsoSubtitle"):
            return SUBTITLE_LEVEL
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
