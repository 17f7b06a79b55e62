"""Keep the spaces that an author saw, in HTML that folds them otherwise."""

import re
from collections.abc import Mapping

PRESERVED = frozenset({"pre", "pre-wrap", "break-spaces"})
FOLDED = frozenset({"normal", "nowrap", "pre-line"})
RUN = re.compile(r" {2,}")
TAB = "\u00a0\u00a0\u00a0 "


def is_preserved(style: Mapping[str, str], *, inherited: bool) -> bool:
    """Return whether spaces are kept, by the property ``white-space`` or by what it is inherited from."""
    white_space = style.get("white-space", "")
    if white_space in PRESERVED:
        return True
    return inherited and white_space not in FOLDED


def keep_spaces(text: str) -> str:
    """Return a preserved line with no-break spaces where spaces would be folded into one."""
    return RUN.sub(lambda run: "\u00a0" * (len(run[0]) - 1) + " ", text.replace("\t", TAB))


def lines_of(text: str) -> list[str]:
    """Return the lines of a preserved text."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
