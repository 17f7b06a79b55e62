"""Texts that a spreadsheet would take for a formula: defused in a CSV, and what they were again."""

import re

# What begins a formula, or is skipped before one, in Excel, LibreOffice or Google Sheets; also in full width.
RISKY = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")


def defuse(text: str) -> str:
    """Return a text that no spreadsheet computes: with an apostrophe before what could begin a formula."""
    return f"'{text}" if RISKY.match(text) else text


def restore(text: str) -> str:
    """Return the text that was given to ``defuse``."""
    return text[1:] if text.startswith("'") and RISKY.match(text) else text
