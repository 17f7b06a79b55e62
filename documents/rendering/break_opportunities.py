"""Where addresses, file names, accession numbers and sequences may break: at their signs, never with a hyphen.

Copying them from the PDF must give what was written. A zero-width space allows a break, and no reader of PDFs gives it
back; hyphens of WeasyPrint's are switched off by a class.
"""

import re
from xml.etree.ElementTree import Element  # nosec B405

MIN_CHARACTERS = 7  # shorter words are not hyphenated (report.css)
MIN_BROKEN_CHARACTERS = 12
# Without a sign in it, a word may break after every tenth character, as sequences are written in groups of ten.
GROUP_CHARACTERS, MAX_RUN, MAX_RUN_IN_CELL = 10, 30, 20
# Longer than any word of a language, even in German.
MAX_WORD = 45
ZERO_WIDTH_SPACE = "\u200b"
CLASS = "address"
type Piece = str | Element

# Scripts with spaces between words: Latin, Greek and Cyrillic, without no-break space and soft hyphen.
WORD = re.compile(rf"[!-~¡-¬®-ɏ\u0370-\u052f{ZERO_WIDTH_SPACE}]{{{MIN_CHARACTERS},}}")
IDENTIFIER = re.compile(
    r"://|www\.|\w[_@=&?\\:]\w|\w\.[^\W\d_]{2}|[^\W\d_]\d|\d[^\W\d_]|\w/[^/]*\w/\w|/\w+/\w"
    rf"|[A-Z]{{{GROUP_CHARACTERS},}}|[acgtun]{{{MIN_BROKEN_CHARACTERS},}}|\S{{{MAX_WORD},}}|{ZERO_WIDTH_SPACE}"
)
SIGNS = re.compile(r"(?<=\w)[/.\-_?&=]+(?=\w)")


def find_identifiers(text: str) -> list[re.Match[str]]:
    """Return the words that must not be hyphenated."""
    return [word for word in WORD.finditer(text) if IDENTIFIER.search(word[0])]


def breakable(word: str, *, is_in_cell: bool = False) -> str:
    """Return a word with zero-width spaces where it may break."""
    if len(word) < MIN_BROKEN_CHARACTERS or ZERO_WIDTH_SPACE in word:
        return word
    max_run = MAX_RUN_IN_CELL if is_in_cell else MAX_RUN
    runs = SIGNS.sub(rf"\g<0>{ZERO_WIDTH_SPACE}", word).split(ZERO_WIDTH_SPACE)
    return ZERO_WIDTH_SPACE.join(_in_groups(run) if len(run) > max_run else run for run in runs)


def split_text(text: str, *, is_in_cell: bool, is_hyphenated: bool) -> list[Piece]:
    """Return a text as pieces: plain ones, and elements around the words that must not be hyphenated."""
    pieces: list[Piece] = []
    position = 0
    for word in find_identifiers(text):
        shown = breakable(word[0], is_in_cell=is_in_cell)
        pieces += (text[position : word.start()], _unhyphenated(shown) if is_hyphenated else shown)
        position = word.end()
    return [*pieces, text[position:]]


def _in_groups(run: str) -> str:
    groups = (run[start : start + GROUP_CHARACTERS] for start in range(0, len(run), GROUP_CHARACTERS))
    return ZERO_WIDTH_SPACE.join(groups)


def _unhyphenated(word: str) -> Element:
    element = Element("span", {"class": CLASS})
    element.text = word
    return element
