"""What every page may know of the site."""

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, object]:
    """Say whether pages may ask for events."""
    return {"has_events": settings.SPMS_EVENTS}
