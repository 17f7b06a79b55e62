"""The JSON of what is not printed of a text."""

from typing import Any

from rest_framework import serializers


class TextWarningSerializer(serializers.Serializer[Any]):
    """Something in a section that is not printed, or not as it was, and how often."""

    section = serializers.CharField()
    what = serializers.CharField()
    count = serializers.IntegerField()
