"""The little CSS that says what an author meant: weights, slopes, lengths, colours, Word's list levels."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from documents.content.normalising.symbol_fonts import symbol_font
from documents.whole_numbers import is_whole_number

MEANINGFUL = frozenset(
    {
        *(
            "--en-checked",
            "background",
            "background-color",
            "color",
            "display",
            "font",
            "font-family",
            "font-size",
        ),
        *("font-style", "font-weight", "list-style-type", "margin", "margin-inline-start", "margin-left"),
        *("mso-element", "mso-hide", "mso-level-number-format", "mso-level-start-at", "mso-list"),
        *(
            "mso-outline-level",
            "mso-symbol-font-family",
            "padding-inline-start",
            "padding-left",
            "text-align",
            "text-decoration",
        ),
        *(
            "page-break-before",
            "text-decoration-line",
            "text-indent",
            "vertical-align",
            "white-space",
            "width",
        ),
    }
)
RULE = re.compile(r"([^{}]*)\{([^{}]*)\}")
COMMENT = re.compile(r"/\*.*?\*/|<!--|-->", re.DOTALL)
# A class, perhaps of an element, perhaps in others.
SELECTOR = re.compile(r"^(?:[^:>+~\[]*\s)?([a-z0-9]*)\.([\w-]+)$", re.IGNORECASE)
LIST_LEVEL = re.compile(r"@list\s+l([0-9]{1,9}):level([0-9]{1,3})", re.IGNORECASE)
LENGTH = re.compile(r"^(-?[0-9]{0,9}\.?[0-9]{1,20})(px|pt|pc|in|cm|mm|em|rem|ex|ch)?$")
# Lexical: calc(2 * var(--lexical-indent-base-value, 40px))
SCALED_LENGTH = re.compile(r"^calc\(([0-9]{1,3}) \*[^0-9]*([0-9]{1,3})px")
PIXELS_PER_UNIT = {
    "px": 1.0,
    "pt": 4 / 3,
    "pc": 16.0,
    "in": 96.0,
    "cm": 96 / 2.54,
    "mm": 96 / 25.4,
    "em": 16.0,
    "rem": 16.0,
    "ex": 8.0,
    "ch": 8.0,
}
HEX_COLOUR = re.compile(r"#([0-9a-f]{6}|[0-9a-f]{3})\b")
RGB_COLOUR = re.compile(r"rgba?\(\s*([0-9]{1,9})[,\s]+([0-9]{1,9})[,\s]+([0-9]{1,9})(?:[,/\s]+([0-9.]+%?))?")
NAMED_COLOURS = {
    "yellow": (255, 255, 0),
    "lime": (0, 255, 0),
    "aqua": (0, 255, 255),
    "cyan": (0, 255, 255),
    "fuchsia": (255, 0, 255),
    "magenta": (255, 0, 255),
    "red": (255, 0, 0),
    "blue": (0, 0, 255),
    "green": (0, 128, 0),
    "orange": (255, 165, 0),
    "silver": (192, 192, 192),
    "gray": (128, 128, 128),
    "grey": (128, 128, 128),
    "lightgrey": (211, 211, 211),
    "lightgray": (211, 211, 211),
    "purple": (128, 0, 128),
    "teal": (0, 128, 128),
    "maroon": (128, 0, 0),
    "navy": (0, 0, 128),
    "white": (255, 255, 255),
    "black": (0, 0, 0),
    "pink": (255, 192, 203),
}
MIN_LARGE_PIXELS = 30.0  # Google Docs writes a title as a paragraph of 26 points
MIN_CHROMA = 60  # of 255: below, a colour is a grey

UNSTYLED_CLASSES = frozenset({"MsoHyperlink", "MsoHyperlinkFollowed"})

type Style = Mapping[str, str]
type Colour = tuple[int, int, int]


@dataclass(slots=True)
class Stylesheet:
    """The rules for classes, by (tag or empty, class), and for the levels of Word's lists, by (list, level)."""

    classes: dict[tuple[str, str], Style] = field(default_factory=dict)
    levels: dict[tuple[str, int], Style] = field(default_factory=dict)

    def style_of(self, tag: str, classes: Iterable[str]) -> dict[str, str]:
        """Return the declarations for an element's classes."""
        style: dict[str, str] = {}
        for name in map(_without_prefix, classes):
            if name in UNSTYLED_CLASSES:
                continue
            style |= self.classes.get(("", name), {})
            style |= self.classes.get((tag, name), {})
        return style


def _without_prefix(name: str) -> str:
    return name.removeprefix("x_")  # which Outlook on the web puts before each class


@lru_cache(maxsize=4096)
def parse_declarations(text: str) -> Style:
    """Return the meaningful declarations of a style attribute, by property."""
    style: dict[str, str] = {}
    for declaration in text.split(";"):
        name, _, value = declaration.partition(":")
        name = name.strip().lower()
        if name in MEANINGFUL and (value := value.replace("!important", "").strip().lower()):
            style[name] = " ".join(value.split())
    _expand_font(style)
    return _shared({name: value for name, value in style.items() if not _is_usual(name, value)})


_STYLES: dict[tuple[tuple[str, str], ...], Style] = {}
MAX_SHARED_STYLES = 10_000


def _shared(style: dict[str, str]) -> Style:
    """Return the one object for all equal styles."""
    if len(_STYLES) > MAX_SHARED_STYLES:
        _STYLES.clear()
    return _STYLES.setdefault(tuple(style.items()), style)


def _is_usual(name: str, value: str) -> bool:
    """Return True for a declaration that every other text has as well."""
    match name:
        case "font-size":
            return (to_pixels(value) or 0.0) < MIN_LARGE_PIXELS
        case "font-family" | "mso-symbol-font-family":
            return not symbol_font(value)
        case "color":
            return not is_coloured(parse_colour(value))
        case "background" | "background-color":
            return not is_shaded(parse_colour(value))
        case "display":
            return value != "none"
    return False


@lru_cache(maxsize=4096)
def _merge(rules: tuple[tuple[str, str], ...], text: str) -> Style:
    return _shared(
        {**{name: value for name, value in rules if not _is_usual(name, value)}, **parse_declarations(text)}
    )


def merge(rules: Mapping[str, str], text: str) -> Style:
    """Return the declarations of rules and of a style attribute, which is stronger."""
    return _merge(tuple(rules.items()), text)


def _expand_font(style: dict[str, str]) -> None:
    words = style.pop("font", "").split()
    if "bold" in words:
        style.setdefault("font-weight", "bold")
    if "italic" in words:
        style.setdefault("font-style", "italic")


def parse_stylesheet(texts: Iterable[str]) -> Stylesheet:
    """Return the rules of style elements whose selectors are one class or a level of one of Word's lists."""
    sheet = Stylesheet()
    for text in texts:
        for match in RULE.finditer(COMMENT.sub(" ", text)):
            _add_rule(sheet, match[1].strip(), match[2])
    return sheet


def _add_rule(sheet: Stylesheet, selectors: str, declarations: str) -> None:
    if level := LIST_LEVEL.search(selectors):
        sheet.levels[level[1], int(level[2])] = parse_declarations(declarations)
        return
    for selector in selectors.split(","):
        if match := SELECTOR.match(selector.strip()):
            key = match[1].lower(), match[2]
            sheet.classes[key] = {**sheet.classes.get(key, {}), **parse_declarations(declarations)}


def to_pixels(text: str) -> float | None:
    """Return a length in pixels, or None for a share or what is no length."""
    if scaled := SCALED_LENGTH.match(text):
        return float(scaled[1]) * float(scaled[2])
    match = LENGTH.match(text)
    return float(match[1]) * PIXELS_PER_UNIT[match[2] or "px"] if match else None


def left_margin(style: Style) -> float | None:
    """Return how far a block is indented, in pixels, or None if its style does not say."""
    if not style:
        return None
    for name in ("margin-left", "margin-inline-start", "padding-left", "padding-inline-start"):
        if (pixels := to_pixels(style.get(name, ""))) is not None:
            return pixels
    sides = style.get("margin", "").split()
    return to_pixels((sides * 4)[3 if len(sides) == 4 else 1]) if sides else None


def is_bold(weight: str) -> bool | None:
    """Return whether a weight is bold, or None if it is none."""
    if weight in {"bold", "bolder"}:
        return True
    if weight in {"normal", "lighter"}:
        return False
    return int(weight) >= 600 if is_whole_number(weight) else None


def parse_colour(text: str) -> Colour | None:
    """Return red, green and blue of a colour in a declaration, or None for no colour and a transparent one."""
    if match := HEX_COLOUR.search(text):
        digits = match[1] if len(match[1]) == 6 else "".join(digit * 2 for digit in match[1])
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
    if match := RGB_COLOUR.search(text):
        is_transparent = match[4] is not None and not match[4].strip("0.%")
        return None if is_transparent else (int(match[1]), int(match[2]), int(match[3]))
    return next((NAMED_COLOURS[word] for word in text.split() if word in NAMED_COLOURS), None)


def background(style: Style, bgcolor: str = "") -> Colour | None:
    """Return the background of an element."""
    return parse_colour(style.get("background-color") or style.get("background") or bgcolor.lower())


def is_coloured(colour: Colour | None) -> bool:
    """Return True for a colour that is not a grey."""
    return colour is not None and max(colour) - min(colour) >= MIN_CHROMA


def is_highlight(colour: Colour | None) -> bool:
    """Return True for the background of a marker pen: bright and coloured."""
    return colour is not None and is_coloured(colour) and max(colour) >= 180


def is_shaded(colour: Colour | None) -> bool:
    """Return True for a background that is not white, or almost."""
    return colour is not None and min(colour) < 250
