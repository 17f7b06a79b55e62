"""How mistakes are listed: the first ones, shortened, and the number of the others."""

from collections.abc import Sequence

MAX_LISTED = 20
MAX_SHOWN_CHARACTERS = 60


def shortened(text: str, max_characters: int = MAX_SHOWN_CHARACTERS) -> str:
    """Return a text, cut to ``max_characters``."""
    return text if len(text) <= max_characters else f"{text[: max_characters - 1]}…"


def count_others(items: Sequence[object]) -> str:
    """Return “and 3 more” for the items after the first ``MAX_LISTED``, or an empty text; one more is listed, too."""
    others = len(items) - MAX_LISTED
    return f"and {others:,} more" if others > 1 else ""


def join_first(names: Sequence[str]) -> str:
    """Return the first names, shortened, and how many more there are, as one text."""
    others = count_others(names)
    listed = ", ".join(map(shortened, names[:MAX_LISTED] if others else names))
    return f"{listed} {others}".rstrip()
