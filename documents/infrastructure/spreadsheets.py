"""Escape texts that a spreadsheet would take for a formula (CSV injection), and undo it."""

import re

# Characters that begin a formula, or are skipped before one, in Excel, LibreOffice or Google Sheets.
FORMULA_PREFIXES = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")


def escape_formula(text: str) -> str:
    """Return a text with an apostrophe before it if it could begin a formula."""
    return f"'{text}" if FORMULA_PREFIXES.match(text) else text


def unescape_formula(text: str) -> str:
    """Return the text that was passed to ``escape_formula``."""
    return text[1:] if text.startswith("'") and FORMULA_PREFIXES.match(text) else text
