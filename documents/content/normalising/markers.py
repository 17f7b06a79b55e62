"""Read what Word writes in front of a list's items: “·”, “1.”, “iv)”, “2.1.”, “Step 3:”."""

import re
from dataclasses import dataclass

from documents.content.normalising.symbol_fonts import symbol_font
from documents.content.normalising.tree import BLANKS

NUMBER = re.compile(r"^[(\[]?(?:([0-9]{1,6})|([A-Za-z]{1,7}))[.)\]:]*$")
OUTLINE_NUMBER = re.compile(r"^[0-9]{1,4}(?:\.[0-9]{1,4})+[.)]?$")
ROMAN = re.compile(r"^m{0,3}(?:cm|cd|d?c{0,3})(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})$")
ROMAN_VALUES = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000}
# At the head of a paragraph whose list was lost: a bullet, or a number and a sign, then a gap of no-break spaces.
LOST_MARKER = re.compile(
    r"^\s*([·•◦▪■o§Øüv–-]|[(]?(?:[0-9]{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)]|[0-9]{1,3}(?:\.[0-9]{1,3})+[.)]?)"
    r"[ \t\n]*\u00a0[\u00a0\s]*(?=\S)"
)


@dataclass(frozen=True, slots=True)
class Number:
    """A number as a list can count it: the ``type`` of an ``ol`` and the value."""

    type: str
    value: int


@dataclass(frozen=True, slots=True)
class Marker:
    """A marker: none of the three for a bullet, possible readings of a number, an outline number, or a text."""

    numbers: tuple[Number, ...] = ()
    outline: tuple[int, ...] = ()
    literal: str = ""


BULLET = Marker()


def parse_marker(text: str, font: str = "", number_format: str = "") -> Marker:
    """Return what a marker says, given its font and the number format of its list's level, where known."""
    text = text.strip(BLANKS)
    if number_format in {"bullet", "image"} or symbol_font(font):
        return BULLET
    if match := NUMBER.match(text):
        if text == "o":
            return BULLET
        return Marker(numbers=_readings(match[1], match[2], number_format))
    if OUTLINE_NUMBER.match(text):
        return Marker(outline=tuple(int(part) for part in re.findall("[0-9]+", text)))
    return Marker(literal=text) if any(sign.isalnum() for sign in text) else BULLET


def _readings(digits: str | None, letters: str | None, number_format: str) -> tuple[Number, ...]:
    """Return the readings of a number, the likeliest first."""
    if digits:
        return (Number("1", int(digits)),)
    letters = letters or ""
    readings = [reading for reading in (_roman(letters), _alphabetic(letters)) if reading]
    is_letter_first = number_format.startswith("alpha") or (
        len(letters) == 1 and letters not in "iI" and not number_format.startswith("roman")
    )
    return tuple(reversed(readings)) if is_letter_first else tuple(readings)


def _roman(letters: str) -> Number | None:
    lower = letters.lower()
    if letters not in {lower, letters.upper()} or not ROMAN.match(lower):
        return None
    values = [ROMAN_VALUES[letter] for letter in lower]
    following = [*values[1:], 0]
    total = sum(-value if value < after else value for value, after in zip(values, following, strict=True))
    return Number("i" if letters == lower else "I", total)


def _alphabetic(letters: str) -> Number | None:
    """Return a letter's number; Word counts y, z, aa, bb, cc."""
    if len(set(letters)) != 1:
        return None
    value = ord(letters[0].lower()) - ord("a") + 1 + 26 * (len(letters) - 1)
    return Number("a" if letters.islower() else "A", value)
