"""The filters of lists."""

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
    """Filters lists and refuses unknown parameters, so that clients notice a misspelt one."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        """Return the matching rows of a list; a single row is not filtered. Raises ValidationError."""
        if getattr(view, "detail", False):
            return queryset
        filterset = self.get_filterset_class(view, queryset)
        list_filters = getattr(filterset, "base_filters", {})
        valid_names = [*list_filters, *sorted(PAGINATION_PARAMETERS)]
        unknown = sorted(set(request.query_params) - set(valid_names))
        problems = dict.fromkeys(unknown, f"Unknown parameter; known are: {', '.join(valid_names)}.")
        if problems := problems | dict.fromkeys(
            _blank(request, list_filters), "Send a value, or leave it out."
        ):
            raise ValidationError(problems)
        filtered: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        return filtered


def _blank(request: Request, list_filters: dict[str, filters.Filter]) -> list[str]:
    """Return the filters that were sent without a value although only a text may be empty."""
    texts = {name for name, field in list_filters.items() if isinstance(field, filters.CharFilter)}
    return [name for name in list_filters if request.query_params.get(name) == "" and name not in texts]


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
    """Filters of the list of letters; a mail gateway finds a letter by its ``message_id``."""

    class Meta:
        model = Letter
        fields = ("state", "address", "message_id")
