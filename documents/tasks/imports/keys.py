"""Compare names as people read them: whatever spaces they were typed or pasted with."""

import re

# Characters without width: soft hyphens, joiners, marks of direction, byte order marks.
INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")


def normalise_key(text: str) -> str:
    """Return a text with single plain spaces between its words and without characters that nobody sees."""
    return " ".join(INVISIBLE.sub("", text).split())
