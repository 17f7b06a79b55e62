"""How lists are filtered."""

from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.views import APIView

from documents.filters import NonNegativeIntegerFilter
from documents.models import Cycle, Letter, Task

PAGINATION_PARAMETERS = frozenset({"page", "page_size"})


class StrictFilterBackend(filters.DjangoFilterBackend):
    """Filters lists; a parameter that a list does not know is refused, so that a typing error is heard of."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        """Return the rows that are asked for; what is not a list has no filters. Raises ValidationError."""
        if getattr(view, "detail", False):
            return queryset
        filterset = self.get_filterset_class(view, queryset)
        own = getattr(filterset, "base_filters", {})
        valid_names = [*own, *sorted(PAGINATION_PARAMETERS)]
        unknown = sorted(set(request.query_params) - set(valid_names))
        wrong = dict.fromkeys(unknown, f"Unknown parameter; known are: {', '.join(valid_names)}.")
        if wrong := wrong | dict.fromkeys(_blank(request, own), "Send a value, or leave it out."):
            raise ValidationError(wrong)
        filtered: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        return filtered


def _blank(request: Request, own: dict[str, filters.Filter]) -> list[str]:
    """Return the filters that were sent without a value although only a text may be empty."""
    texts = {name for name, field in own.items() if isinstance(field, filters.CharFilter)}
    return [name for name in own if request.query_params.get(name) == "" and name not in texts]


class TaskFilter(filters.FilterSet):
    """Filters of the list of tasks; ``document`` is its id."""

    document = NonNegativeIntegerFilter(field_name="document_id")

    class Meta:
        model = Task
        fields = ("kind", "status", "mode", "document")


class CycleFilter(filters.FilterSet):
    """Filters of the list of cycles."""

    year = NonNegativeIntegerFilter()

    class Meta:
        model = Cycle
        fields = ("year",)


class LetterFilter(filters.FilterSet):
    """Filters of the list of letters; a mail gateway finds one by its ``message_id``."""

    class Meta:
        model = Letter
        fields = ("state", "address", "message_id")
