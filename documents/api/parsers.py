"""Parsers of request bodies."""

import json
import math
import re
from typing import Any, NoReturn

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

MAX_VALUES = 10_000
MAX_DEPTH = 20
MAX_DIGITS = 100
TOO_LARGE = "The JSON has a number that is too large."
STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
NO_MARKS = re.compile(r"[^\[\]{},]++")


class BoundedJsonParser(JSONParser):
    """JSON in UTF-8 whose values and nesting are counted before any of them is made: each takes memory.

    It holds no numbers and texts that cannot be stored or sent back: NaN, infinities, and lone surrogates.
    """

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """Return the parsed body. Raises ParseError."""
        body: bytes = stream.read()
        try:
            text = body.decode()
            require_few_values(text)
            parsed = json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_refuse_constant)
            if SURROGATE.search(text):
                json.dumps(parsed, ensure_ascii=False).encode()
        except UnicodeDecodeError as error:
            raise ParseError("The body is not UTF-8.") from error
        except UnicodeEncodeError as error:
            raise ParseError("The JSON has half of a surrogate pair, which is no character.") from error
        except ValueError as error:
            raise ParseError(f"The body is not JSON: {error}") from error
        return parsed


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ParseError(TOO_LARGE)
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ParseError(TOO_LARGE)
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ParseError(f"{name} is not JSON.")


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
