"""Texts that a spreadsheet would take for a formula: defused in a CSV, and what they were again."""

import re

# What begins a formula, or is skipped before one, in Excel, LibreOffice or Google Sheets; also in full width.
FORMULA_PREFIXES = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")


def escape_formula(text: str) -> str:
    """Return a text that no spreadsheet computes: with an apostrophe before what could begin a formula."""
    return f"'{text}" if FORMULA_PREFIXES.match(text) else text


def unescape_formula(text: str) -> str:
    """Return the text that was given to ``defuse``."""
    return text[1:] if text.startswith("'") and FORMULA_PREFIXES.match(text) else text
