"""Mark in a section's stored text the place that a warning is about."""

import re
from collections.abc import Callable, Iterator, Sequence
from html import escape, unescape

PLACE = "place"
# Where a text that is quoted was cut off.
ELLIPSIS = "…"
TAG = re.compile(r'(</?[a-z][a-z0-9]*(?: [a-z-]+="[^"]*")*>)')
SHOWN_OTHERWISE = re.compile(r' (?:id|style)="[^"]*"')

# A text split by TAG: texts have even indexes, tags have odd ones.
type Tokens = Sequence[str]


def _is_image_without_address(tokens: Tokens, index: int) -> bool:
    return tokens[index].startswith("<img") and ' src="' not in tokens[index]


def _is_image_without_alternative(tokens: Tokens, index: int) -> bool:
    return tokens[index].startswith("<img") and not re.search(r' alt="[^"]', tokens[index])


def _is_table_without_header(tokens: Tokens, index: int) -> bool:
    if not tokens[index].startswith("<table"):
        return False
    inside = iter(range(index + 2, len(tokens), 2))
    first = next(
        (tokens[other] for other in inside if tokens[other].startswith(("<th>", "<th ", "</table"))), ""
    )
    return first.startswith("</table")


# The elements that the rules of warnings are about.
RULES: dict[str, Callable[[Tokens, int], bool]] = {
    "image-missing": _is_image_without_address,
    "image-without-alternative": _is_image_without_alternative,
    "table-without-header": _is_table_without_header,
}


def mark(html: str, *, rule: str = "", words: str = "") -> tuple[str, bool]:
    """Return a stored text for a page of this site, with the place marked, and True if it was found.

    The place is the first one with ``words``, in the text or in an attribute of an image; without them, it is each
    element that ``rule`` is about. Ids and styles are left out: a page has its own.
    """
    tokens = [
        SHOWN_OTHERWISE.sub("", token) if index % 2 else token for index, token in enumerate(TAG.split(html))
    ]
    sought = _squeezed(words)
    places = _find(tokens, rule, sought)
    for number, index in enumerate(places):
        opening = '<mark class="place">' if number else f'<mark class="place" id="{PLACE}">'
        tokens[index] = _marked(tokens[index], sought, opening)
    return "".join(tokens), bool(places)


def _find(tokens: Tokens, rule: str, sought: str) -> list[int]:
    """Return the indexes to mark: of an element of the rule with the words, or the words, or all of the rule."""
    is_meant = RULES.get(rule)
    elements = [index for index in range(1, len(tokens), 2) if is_meant and is_meant(tokens, index)]
    if not sought:
        return elements
    named = [index for index in elements if sought in _squeezed(tokens[index])]
    return (named or list(_indexes_of_words(tokens, sought)))[:1] or elements


def _indexes_of_words(tokens: Tokens, sought: str) -> Iterator[int]:
    """Yield the texts that have the words, and then the images."""
    yield from (index for index in range(0, len(tokens), 2) if sought in _squeezed(tokens[index]))
    images = (index for index in range(1, len(tokens), 2) if tokens[index].startswith("<img"))
    yield from (index for index in images if sought in _squeezed(tokens[index]))


def _marked(token: str, sought: str, opening: str) -> str:
    """Return a text with its words inside a mark, or a tag behind one."""
    if TAG.fullmatch(token):
        return f"{opening}Here:</mark> {token}"
    text = _squeezed(token)
    before, _, after = text.partition(sought)
    return f" {escape(before)}{opening}{escape(sought)}</mark>{escape(after)} "


def _squeezed(text: str) -> str:
    """Return a text as warnings quote it: with single spaces, and without an end that was cut off."""
    return " ".join(unescape(text).replace(ELLIPSIS, "").split())
