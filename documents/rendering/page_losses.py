"""Tell authors what a layout could not show: what runs off a page, and what is on no page at all."""

from collections.abc import Iterable
from typing import Any

from documents.rendering import page_bounds
from documents.rendering.glyphs import Titles
from documents.rendering.missing_content import MissingContent

MAX_SHOWN_CHARACTERS = 40


def find(document: Any, root: Any) -> MissingContent:
    """Return what a laid out document lacks of its HTML, by the title over it."""
    boxes = page_bounds.examine(document)
    overflows = {overflow.element: overflow.text for overflow in reversed(boxes.overflows)}
    unprinted = page_bounds.find_unprinted(root, boxes)
    if not overflows and not unprinted:
        return MissingContent()
    titles = _titles_over(root, {*overflows, *unprinted})
    return MissingContent(overflows=_by_title(titles, overflows), unprinted=_by_title(titles, unprinted))


def _titles_over(root: Any, elements: Iterable[Any]) -> dict[Any, str]:
    titles = Titles()
    over: dict[Any, str] = {}
    for element in root.iter():
        titles.enter(element)
        if element in elements:
            over[element] = titles.current
    return over


def _by_title(titles: dict[Any, str], texts: dict[Any, str]) -> dict[str, str]:
    """Return the first of the texts under each title, in the order of the pages."""
    first: dict[str, str] = {}
    for element, title in titles.items():
        if element in texts:
            first.setdefault(title, _shortened(texts[element]))
    return first


def _shortened(text: str) -> str:
    line = " ".join(text.replace("\u200b", "").split())
    return line if len(line) <= MAX_SHOWN_CHARACTERS else f"{line[: MAX_SHOWN_CHARACTERS - 1]}…"
