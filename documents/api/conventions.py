"""What all endpoints share: pages, media types, and refusing members that nobody knows."""

from collections.abc import Iterable
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ParseError
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


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer that refuses members it does not know, so that a typing error is heard of."""

    def to_internal_value(self, data: Any) -> Any:
        """Validate as usual after refusing unknown members."""
        if isinstance(data, dict) and (unknown := set(data) - set(self.fields)):
            known = ", ".join(self.fields)
            raise serializers.ValidationError(
                {str(name): f"Unknown member; known are: {known}." for name in sorted(unknown, key=str)}
            )
        return super().to_internal_value(data)
