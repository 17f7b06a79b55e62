"""What is said of a run of text: bold, italic, a link; from tags and from styles."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from documents.content import links
from documents.content.normalising import css, embeds
from documents.content.normalising.tree import HEADINGS, Element, Wrap

GROUPS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strike",
    "del": "strike",
    "sub": "sub",
    "sup": "sup",
    "code": "code",
    "kbd": "kbd",
    "mark": "mark",
    "small": "small",
    "a": "link",
    "abbr": "abbr",
    "cite": "cite",
    "dfn": "dfn",
    "q": "q",
}
# Two of these side by side are two: their ends can be seen or lead to different places.
SEPARATE = frozenset({"a", "abbr", "q"})
MAX_MARKS = 12
BOLD_ALREADY = frozenset({"th", *HEADINGS})
LINE_BREAKS = re.compile(r"[\t\n\r]")  # which browsers ignore in an address


@dataclass(frozen=True, slots=True)
class Mark:
    """An inline element around a run; ``serial`` keeps apart what must not be joined."""

    tag: str
    group: str
    attributes: tuple[tuple[str, str], ...] = ()
    serial: int = 0


type Marks = tuple[Mark, ...]

STRONG, EM, UNDERLINE = Mark("strong", "bold"), Mark("em", "italic"), Mark("u", "underline")
STRIKE, SUB, SUP, HIGHLIGHT = (
    Mark("s", "strike"),
    Mark("sub", "sub"),
    Mark("sup", "sup"),
    Mark("mark", "mark"),
)


def add(marks: Marks, mark: Mark) -> Marks:
    """Return the marks with one more, unless one of its group is there."""
    if len(marks) >= MAX_MARKS or any(other.group == mark.group for other in marks):
        return marks
    return (*marks, mark)


def without(marks: Marks, group: str) -> Marks:
    """Return the marks without those of a group."""
    return tuple(mark for mark in marks if mark.group != group)


def of_wrap(wrap: Wrap, marks: Marks) -> Marks:
    """Return the marks of what is in an inline element that only says how it looks."""
    if wrap.tag in GROUPS and not _is_cancelled(wrap.tag, wrap.style):
        marks = add(marks, Mark(wrap.tag, GROUPS[wrap.tag]))
    return _add_styles(wrap.style, marks) if wrap.style else marks


def of_inline(element: Element, marks: Marks, serial: int) -> Marks:
    """Return the marks of what is in an inline element, which may be a link."""
    if element.tag in GROUPS and not _is_cancelled(element.tag, element.style):
        marks = _add_tag(element, marks, serial)
    if element.style:
        marks = _add_styles(element.style, marks)
    return _add_language(element, marks)


def of_block(element: Element, marks: Marks) -> Marks:
    """Return the marks that a block gives to its text; headings are bold without."""
    if element.tag in BOLD_ALREADY:
        marks = without(marks, "bold")
        return _add_slope_and_lines(element.style, marks) if element.style else marks
    return _add_slope_and_lines(element.style, _add_weight(element.style, marks)) if element.style else marks


def _is_cancelled(tag: str, style: Mapping[str, str]) -> bool:
    """Return True if an element's own style takes back what its tag says, as Google Docs' wrapper does."""
    group = GROUPS[tag]
    if group == "bold":
        return css.is_bold(style.get("font-weight", "")) is False
    if group == "italic":
        return style.get("font-style") == "normal"
    return group in {"underline", "strike"} and style.get("text-decoration") == "none"


def _add_tag(element: Element, marks: Marks, serial: int) -> Marks:
    tag = element.tag
    attributes: tuple[tuple[str, str], ...] = ()
    if tag == "a":
        address = address_of(element)
        if not address:
            return marks
        attributes = (("href", address),)
    if tag in {"abbr", "dfn", "a"} and (title := element.attributes.get("title")):
        attributes = (*attributes, ("title", title))
    return add(marks, Mark(tag, GROUPS[tag], attributes, serial if tag in SEPARATE else 0))


def address_of(link: Element) -> str:
    """Return where a link leads, or an empty text if that is nowhere."""
    address = LINE_BREAKS.sub("", link.attributes.get("href", "").strip())
    return links.complete(embeds.unwrapped_link(address))


def _add_styles(style: Mapping[str, str], marks: Marks) -> Marks:
    marks = _add_slope_and_lines(style, _add_weight(style, marks))
    position = style.get("vertical-align", "")
    if position in {"super", "sub"}:
        marks = add(marks, SUP if position == "super" else SUB)
    if css.is_highlight(css.background(style)):
        marks = add(marks, HIGHLIGHT)
    return marks


def _add_weight(style: Mapping[str, str], marks: Marks) -> Marks:
    bold = css.is_bold(style.get("font-weight", ""))
    if bold is None:
        return marks
    return add(marks, STRONG) if bold else without(marks, "bold")


def _add_slope_and_lines(style: Mapping[str, str], marks: Marks) -> Marks:
    slope = style.get("font-style", "")
    if slope == "normal":
        marks = without(marks, "italic")
    elif slope in {"italic", "oblique"}:
        marks = add(marks, EM)
    lines = style.get("text-decoration") or style.get("text-decoration-line") or ""
    if "underline" in lines and not any(mark.tag == "a" for mark in marks):
        marks = add(marks, UNDERLINE)
    return add(marks, STRIKE) if "line-through" in lines else marks


def _add_language(element: Element, marks: Marks) -> Marks:
    """Mark words in another language, which are hyphenated and read out by its rules."""
    language = element.attributes.get("lang", "")
    attributes = {"lang": language} if language else {}
    if element.attributes.get("dir") == "rtl":
        attributes["dir"] = "rtl"
    if not attributes:
        return marks
    return add(without(marks, "language"), Mark("span", "language", tuple(attributes.items())))
