"""Parsers of request bodies."""

import io
import re
from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

MAX_VALUES = 10_000
MAX_DEPTH = 20
STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
NO_MARKS = re.compile(r"[^\[\]{},]++")


class BoundedJsonParser(JSONParser):
    """JSON in UTF-8 whose values and nesting are counted before any of them is made: each takes memory."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """Return the parsed body. Raises ParseError."""
        body: bytes = stream.read()
        try:
            require_few_values(body.decode())
        except UnicodeDecodeError as error:
            raise ParseError("The body is not UTF-8.") from error
        return super().parse(io.BytesIO(body), media_type, {**(parser_context or {}), "encoding": "utf-8"})


def require_few_values(text: str) -> None:
    """Raise ParseError if a JSON text has more values, or nests them deeper, than any request needs."""
    marks = NO_MARKS.sub("", STRING.sub("", text))
    if len(marks) > 3 * MAX_VALUES or marks.count(",") + marks.count("[") + marks.count("{") > MAX_VALUES:
        raise ParseError(f"The JSON has more than {MAX_VALUES:,} values.")
    depth = 0
    for mark in marks:
        depth += (mark in "[{") - (mark in "]}")
        if depth > MAX_DEPTH:
            raise ParseError(f"The JSON nests too deeply: more than {MAX_DEPTH} levels.")
