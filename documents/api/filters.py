"""What lists can be filtered by."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.views import APIView

from documents.models import Document, Project, Task

LARGEST_ID = 2**63 - 1
OF_PAGES = frozenset({"page", "page_size"})


class OnlyKnown(filters.DjangoFilterBackend):
    """Filters lists; a parameter that a list does not know is refused, so that a typing error is heard of."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        """Return the rows that are asked for; what is not a list has no filters. Raises ValidationError."""
        if getattr(view, "detail", False):
            return queryset
        filterset = self.get_filterset_class(view, queryset)
        known = [*getattr(filterset, "base_filters", ()), *sorted(OF_PAGES)]
        if unknown := set(request.query_params) - set(known):
            message = f"Unknown parameter; known are: {', '.join(known)}."
            raise ValidationError(dict.fromkeys(sorted(unknown), message))
        _refuse_empty(filterset, request)
        found: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        return found


def _refuse_empty(filterset: Any, request: Request) -> None:
    """Raise ValidationError for a parameter without a value, which would filter nothing; a text may be empty."""
    filtered = getattr(filterset, "base_filters", {})
    needy = [name for name, one in filtered.items() if not isinstance(one, filters.CharFilter)]
    if empty := [name for name in needy if request.query_params.get(name) == ""]:
        raise ValidationError(dict.fromkeys(empty, "Send a value, or leave the parameter out."))


@extend_schema_field({"type": "integer", "format": "int64", "minimum": 0})
class WholeNumber(filters.NumberFilter):
    """An id or a year; what is not there, or not for the sender to see, finds nothing."""

    field_class = forms.IntegerField

    def __init__(self, **values: Any) -> None:
        super().__init__(min_value=0, max_value=LARGEST_ID, **values)


class ProjectFilter(filters.FilterSet):
    """Filters of the list of projects; ``business_area`` is its id."""

    year = WholeNumber()
    business_area = WholeNumber(field_name="business_area_id")

    class Meta:
        model = Project
        fields = ("kind", "year", "status", "business_area", "tag")


class DocumentFilter(filters.FilterSet):
    """Filters of the list of documents; ``project`` is its id."""

    year = WholeNumber()
    project = WholeNumber(field_name="project_id")

    class Meta:
        model = Document
        fields = ("kind", "year", "status", "project")


class TaskFilter(filters.FilterSet):
    """Filters of the list of tasks; ``document`` is its id."""

    document = WholeNumber(field_name="document_id")

    class Meta:
        model = Task
        fields = ("kind", "status", "mode", "document")
