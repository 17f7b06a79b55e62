"""What all endpoints share: pages, media types, and refusing members that nobody knows."""

from collections.abc import Iterable
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.pagination import PageNumberPagination
from rest_framework.parsers import JSONParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class Pages(PageNumberPagination):
    """Pages of 25, or of ``page_size`` up to 100."""

    page_size = 25
    page_size_query_param = "page_size"
    max_page_size = 100

    def get_page_size(self, request: Request) -> int:
        """Return how many rows a page has. Raises ValidationError for what is no number above zero."""
        text = request.query_params.get(self.page_size_query_param, str(self.page_size)).lstrip("0")
        if not (text.isascii() and text.isdecimal()):
            raise ValidationError({self.page_size_query_param: "Send a whole number above zero."})
        return self.max_page_size if len(text) > 3 else min(int(text), self.max_page_size)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Say in the schema that both numbers begin at one."""
        found = super().get_schema_operation_parameters(view)
        return [one | {"schema": {"type": "integer", "minimum": 1}} for one in found]


class AlwaysJson(DefaultContentNegotiation):
    """Answer in JSON whatever is asked for: a PDF is sent as a file, and its errors must stay readable."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the first renderer."""
        first = next(iter(renderers))
        return first, first.media_type


class BoundedJsonParser(JSONParser):
    """JSON that nests too deeply for Python is an error of its sender."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """Parse as usual."""
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise ParseError("The JSON nests too deeply.") from error


NAMES = {bool: "boolean", str: "string", int: "integer"}
# DRF takes a number for a text, a text for a number, and "off" for false.
JSON_TYPES: tuple[tuple[type[serializers.Field[Any, Any, Any, Any]], type], ...] = (
    (serializers.BooleanField, bool),
    (serializers.CharField, str),
    (serializers.IntegerField, int),
)


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer that refuses members it does not know and values of another type, so that errors are heard of."""

    def to_internal_value(self, data: Any) -> Any:
        """Validate as usual after refusing what DRF would pass over."""
        if isinstance(data, dict) and (wrong := self._unknown(data) | self._of_other_types(data)):
            raise ValidationError(wrong)
        return super().to_internal_value(data)

    def _unknown(self, data: dict[str, Any]) -> dict[str, str]:
        message = f"Unknown member; known are: {', '.join(self.fields)}."
        return dict.fromkeys(sorted(set(data) - set(self.fields)), message)

    def _of_other_types(self, data: dict[str, Any]) -> dict[str, str]:
        found = {}
        for name, value in data.items():
            field = self.fields.get(name)
            wanted = next((json for kind, json in JSON_TYPES if isinstance(field, kind)), None)
            if wanted is not None and value is not None and type(value) is not wanted:
                found[name] = f"Send a JSON {NAMES[wanted]}."
        return found


def require_no_body(request: Request) -> None:
    """Read the body, so that broken JSON is an error, and refuse what we would not use."""
    if request.data not in ({}, None):
        raise ValidationError("This call takes no body.")
