"""The filters of lists and exports of projects and documents."""

from typing import Any

from django import forms
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field

from documents.models import Document, Project

MAX_ID = 2**63 - 1


@extend_schema_field({"type": "integer", "format": "int64", "minimum": 0})
class NonNegativeIntegerFilter(filters.NumberFilter):
    """Filter by an id or a year; one that does not exist, or is not visible to the user, matches nothing."""

    field_class = forms.IntegerField

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
