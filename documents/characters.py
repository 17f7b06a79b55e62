"""Characters that can be stored but not laid out: separators of lines become breaks or spaces, controls go.

WeasyPrint stops at a paragraph separator (U+2029) after a space, and prints the others as boxes; mail refuses all of
them in a header. This module knows neither Django nor WeasyPrint, so that every layer may use it.
"""

import re

# Line tabulation, form feed, next line, line separator, paragraph separator.
SEPARATORS = "\v\f\x85\u2028\u2029"
NONCHARACTERS = "\ufdd0-\ufdef" + "".join(
    chr(plane + 0xFFFE) + chr(plane + 0xFFFF) for plane in range(0, 0x110000, 0x10000)
)
# All but tab, line feed and carriage return; also surrogates, and signs of annotations between lines.
CONTROLS = f"\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufff9-\ufffb{NONCHARACTERS}"
SEPARATOR = re.compile(f"[{SEPARATORS}]")
CONTROL = re.compile(f"[{CONTROLS}]")


def without_controls(text: str) -> str:
    """Return a text without controls; its separators stay."""
    return text if text.isprintable() else CONTROL.sub("", text)


def one_line(text: str) -> str:
    """Return a title or name without controls, with a space in place of each separator."""
    return text if text.isprintable() else SEPARATOR.sub(" ", without_controls(text))


def plain_lines(text: str) -> str:
    """Return a plain text without controls, with a line feed in place of each separator."""
    return text if text.isprintable() else SEPARATOR.sub("\n", without_controls(text))


def has_separator(text: str) -> bool:
    """Return True if a text has a separator that is no line feed."""
    return not text.isprintable() and SEPARATOR.search(text) is not None


def split_lines(text: str) -> list[str]:
    """Return the pieces between the separators of a text, without its controls; line feeds stay."""
    return SEPARATOR.split(without_controls(text))
