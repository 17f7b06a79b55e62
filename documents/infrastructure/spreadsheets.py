"""Texts in spreadsheets: formulas in CSV (CSV injection) and the escapes of XLSX, both ways."""

import re

# Characters that begin a formula, or are skipped before one, in Excel, LibreOffice or Google Sheets.
FORMULA_PREFIXES = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")
# XLSX writes a character that XML cannot hold, or would change, as _xHHHH_ (ECMA-376, ST_Xstring).
ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
UNSAFE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)|[\x00-\x08\x0b-\x1f\ufffe\uffff]")


def escape_formula(text: str) -> str:
    """Return a text with an apostrophe before it if it could begin a formula."""
    return f"'{text}" if FORMULA_PREFIXES.match(text) else text


def unescape_formula(text: str) -> str:
    """Return the text that was passed to ``escape_formula``."""
    return text[1:] if text.startswith("'") and FORMULA_PREFIXES.match(text) else text


def escape_characters(text: str) -> str:
    """Return a text for a cell of XLSX: characters that XML cannot hold as ``_xHHHH_``, and such texts escaped."""
    return UNSAFE.sub(lambda match: f"_x{ord(match[0]):04X}_", text)


def unescape_characters(text: str) -> str:
    """Return the text that was passed to ``escape_characters``; a half of a surrogate pair becomes U+FFFD."""
    if "_x" not in text:
        return text
    units = ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
