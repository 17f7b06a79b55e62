"""Serializers that refuse members that nobody knows and values of other types."""

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

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
        problems = {}
        for name, value in data.items():
            field = self.fields.get(name)
            json_type = next((json for kind, json in JSON_TYPES if isinstance(field, kind)), None)
            if json_type is not None and value is not None and type(value) is not json_type:
                problems[name] = f"Send a JSON {NAMES[json_type]}."
        return problems


def require_no_body(request: Request) -> None:
    """Read the body, so that broken JSON is an error, and refuse what we would not use."""
    if request.data not in ({}, None):
        raise ValidationError("This call takes no body.")
