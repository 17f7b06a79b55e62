"""Serializers that refuse unknown members and values of other types."""

from collections.abc import Iterable
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

NAMES = {bool: "boolean", str: "string", int: "integer"}
# DRF accepts a number as a text, a text as a number, and "off" as false.
JSON_TYPES: tuple[tuple[type[serializers.Field[Any, Any, Any, Any]], type], ...] = (
    (serializers.BooleanField, bool),
    (serializers.CharField, str),
    (serializers.IntegerField, int),
)


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer that refuses unknown members and values of another type, so that clients notice their mistakes."""

    def to_internal_value(self, data: Any) -> Any:
        """Refuse what DRF would ignore, then validate as usual. Raises ValidationError."""
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
            elif (
                isinstance(field, serializers.RelatedField) and isinstance(value, str) and not value.isascii()
            ):
                problems[name] = "Send an id in the digits 0 to 9."
        return problems


def decode_booleans(form: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the values of a multipart form, which has only texts, with these booleans decoded."""
    booleans = {"true": True, "false": False}
    return form | {name: booleans.get(str(form[name]), form[name]) for name in names if name in form}


def require_no_body(request: Request) -> None:
    """Raise ParseError if the body is broken JSON, and ValidationError if it is not empty."""
    if request.data not in ({}, None):
        raise ValidationError("This call takes no body.")
