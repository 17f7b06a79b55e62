"""Context for every page."""

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, object]:
    """Return whether pages may subscribe to events, and whether a forgotten password can be reset by mail."""
    return {"has_events": settings.SPMS_EVENTS, "sends_mail": settings.SPMS_SENDS_MAIL}
