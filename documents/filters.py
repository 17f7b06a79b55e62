"""The filters of lists and exports of projects and documents."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field

from documents.models import Document, Project

MAX_ID = 2**63 - 1
PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.0*)?")


class PlainIntegerField(forms.IntegerField):
    """A whole number in the digits 0 to 9; Python also reads those of other scripts, and underscores."""

    def to_python(self, value: Any) -> int | None:
        """Return the number. Raises ValidationError for anything but plain digits."""
        text = str(value).strip()
        if value not in self.empty_values and not PLAIN_NUMBER.fullmatch(text):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


@extend_schema_field({"type": "integer", "format": "int64", "minimum": 0})
class NonNegativeIntegerFilter(filters.NumberFilter):
    """Filter by an id or a year; one that does not exist, or is not visible to the user, matches nothing."""

    field_class = PlainIntegerField

    def __init__(self, **values: Any) -> None:
        super().__init__(min_value=0, max_value=MAX_ID, **values)


class ProjectFilter(filters.FilterSet):
    """Filters of projects; ``business_area`` is its id."""

    year = NonNegativeIntegerFilter()
    business_area = NonNegativeIntegerFilter(field_name="business_area_id")

    class Meta:
        model = Project
        fields = ("kind", "year", "status", "business_area", "tag")


class DocumentFilter(filters.FilterSet):
    """Filters of documents; ``project`` and ``business_area`` are ids."""

    year = NonNegativeIntegerFilter()
    project = NonNegativeIntegerFilter(field_name="project_id")
    business_area = NonNegativeIntegerFilter(field_name="project__business_area_id")

    class Meta:
        model = Document
        fields = ("kind", "year", "status", "project", "business_area")
