"""How lists are filtered."""

from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.views import APIView

from documents.filters import WholeNumber
from documents.models import Task

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
        found: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        return found


class TaskFilter(filters.FilterSet):
    """Filters of the list of tasks; ``document`` is its id."""

    document = WholeNumber(field_name="document_id")

    class Meta:
        model = Task
        fields = ("kind", "status", "mode", "document")
