"""Whole numbers in texts of others: Python reads digits of any script, and refuses more than 4,300 of them.

This module knows no other, so that every layer may use it.
"""

MAX_DIGITS = 9
MAX_ID_DIGITS = 18  # as many fit into a BIGINT


def is_whole_number(text: str, max_digits: int = MAX_DIGITS) -> bool:
    """Return True if a text consists of one to ``max_digits`` ASCII digits."""
    return text.isascii() and text.isdecimal() and len(text) <= max_digits


def read_whole_number(text: str, default: int, max_digits: int = MAX_DIGITS) -> int:
    """Return the number that a text of one to ``max_digits`` ASCII digits says, or ``default`` for another text."""
    return int(text) if is_whole_number(text, max_digits) else default
