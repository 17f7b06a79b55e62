"""Prepare the text of a parsed document for the layout: what cannot be laid out, and where long words may break.

This is done for all text of a page, whenever it was stored and whatever it was stored as.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any
from xml.etree.ElementTree import Element  # nosec B405

from documents import characters
from documents.rendering import break_opportunities
from documents.rendering.break_opportunities import Piece

PREFORMATTED = frozenset({"pre"})
# report.css does not hyphenate them.
UNHYPHENATED = frozenset({"pre", "code", "kbd", "table"})
CELLS = frozenset({"td", "th"})
# The outline shows their text.
HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What an element is in."""

    is_in_cell: bool = False
    is_preformatted: bool = False
    is_hyphenated: bool = True
    is_heading: bool = False

    def within(self, tag: str) -> "Surroundings":
        """Return the surroundings of what is in an element."""
        if tag in HEADINGS:
            return replace(self, is_heading=True)
        if tag in CELLS:
            return replace(self, is_in_cell=True)
        if tag in UNHYPHENATED:
            return replace(self, is_hyphenated=False, is_preformatted=tag in PREFORMATTED)
        return self


def prepare(root: Any) -> None:
    """Prepare the text and the attributes in a tree of HTML."""
    for element in root.iter():
        for name, value in element.items():
            if not value.isprintable():
                element.set(name, characters.one_line(value))
    for head in root.iter("title"):
        head.text = characters.one_line(head.text or "")
    for body in root.iter("body"):
        _prepare(body, Surroundings())


def protect_identifiers(element: Any) -> None:
    """Switch hyphens off for the identifiers in an element that is about to be hyphenated."""
    _rewrite(element, lambda text: _identifiers_in(text, Surroundings(is_in_cell=True)))
    for child in list(element):
        if child.get("class") != break_opportunities.CLASS:
            protect_identifiers(child)


def _prepare(element: Any, around: Surroundings) -> None:
    if not isinstance(element.tag, str):
        return
    around = around.within(element.tag)
    for child in element:
        _prepare(child, around)
    _rewrite(element, lambda text: _pieces(text, around))


def _rewrite(element: Any, split: Callable[[str], list[Piece]]) -> None:
    """Replace the texts that stand directly in an element by pieces of text and elements."""
    children = list(element)
    texts = [element.text or "", *(child.tail or "" for child in children)]
    pieces = [split(text) for text in texts]
    if pieces == [[text] for text in texts]:
        return
    element[:] = []
    element.text = ""
    _append(element, pieces[0])
    for child, following in zip(children, pieces[1:], strict=True):
        child.tail = ""
        _append(element, [child, *following])


def _append(element: Any, pieces: Iterable[Piece]) -> None:
    for piece in pieces:
        if not isinstance(piece, str):
            element.append(piece)
        elif len(element):
            element[-1].tail = (element[-1].tail or "") + piece
        else:
            element.text += piece


def _pieces(text: str, around: Surroundings) -> list[Piece]:
    pieces: list[Piece] = []
    for number, line in enumerate(characters.split_lines(text)):
        if number:
            pieces.append("\n" if around.is_preformatted else Element("br"))
        pieces += [line] if around.is_heading else _identifiers_in(line, around)
    return pieces


def _identifiers_in(text: str, around: Surroundings) -> list[Piece]:
    return break_opportunities.split_text(
        text, is_in_cell=around.is_in_cell, is_hyphenated=around.is_hyphenated
    )
