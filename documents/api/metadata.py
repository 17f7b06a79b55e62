"""The answer to OPTIONS: a description of the endpoint, for those who may see the object that the URL names."""

from typing import TYPE_CHECKING, Any

from rest_framework.metadata import SimpleMetadata
from rest_framework.request import Request

if TYPE_CHECKING:  # views import their metadata
    from rest_framework.views import APIView


class ObjectMetadata(SimpleMetadata):
    """DRF's own, but an object that the sender may not see is 404, as with every other method."""

    def determine_metadata(self, request: Request, view: "APIView") -> Any:
        """Return the description of the view. Raises Http404."""
        if view.kwargs:
            _require_object(view)
        return super().determine_metadata(request, view)


def _require_object(view: Any) -> None:
    """Look up what the URL names: the object of the view, or the parent of the objects that it lists."""
    is_list = getattr(view, "lookup_field", "") not in {"", *view.kwargs}
    look_up = view.get_queryset if is_list else view.get_object
    look_up()
