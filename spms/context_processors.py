"""Context for every page."""

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, object]:
    """Return ``has_events``: True if pages may subscribe to events."""
    return {"has_events": settings.SPMS_EVENTS}
