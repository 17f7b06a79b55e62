"""The ``Prefer`` header (RFC 7240): what a client would like, as far as it makes sense."""

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from documents.models import Task
from documents.queue.routing import Preferences

PREFER = OpenApiParameter(
    "Prefer",
    str,
    OpenApiParameter.HEADER,
    description="respond-async, or wait=10 for so many seconds at most.",
)


def parse_prefer(request: Request) -> Preferences:
    """Return what the request prefers; what is unknown or malformed is ignored, as the RFC says.

    A longer wait than ``SPMS_INLINE_DEADLINE`` becomes that one.
    """
    wishes: dict[str, str] = {}
    for wish in request.headers.get("Prefer", "").split(","):
        name, _, value = wish.partition(";")[0].partition("=")
        wishes.setdefault(name.strip().lower(), value.strip().strip('"'))
    wait = wishes.get("wait", "")
    return Preferences(
        respond_async="respond-async" in wishes,
        wait_seconds=min(float(wait), settings.SPMS_INLINE_DEADLINE) if is_whole_number(wait) else None,
    )


def is_whole_number(text: str) -> bool:
    """Say whether the text is a number of a sensible length in plain digits."""
    return text.isascii() and text.isdecimal() and len(text) < 10


def preference_applied(wish: Preferences, task: Task) -> dict[str, str]:
    """Return the header that says which wishes were granted."""
    granted = ["respond-async"] if wish.respond_async and task.mode == Task.Mode.QUEUE else []
    if wish.wait_seconds is not None:
        granted.append(f"wait={wish.wait_seconds:g}")
    return {"Preference-Applied": ", ".join(granted)} if granted else {}
