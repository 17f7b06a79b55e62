"""The ``Prefer`` header (RFC 7240)."""

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from documents.models import Task
from documents.queue.routing import Preferences
from documents.whole_numbers import is_whole_number

MAX_HEADER_CHARACTERS = 1_000
PREFER = OpenApiParameter(
    "Prefer",
    str,
    OpenApiParameter.HEADER,
    description="respond-async, or wait=10 to wait for at most 10 seconds.",
)


def parse_prefer(request: Request) -> Preferences:
    """Return the preferences of a request; unknown and malformed ones are ignored, as the RFC requires.

    The wait is limited to ``SPMS_INLINE_DEADLINE`` seconds.
    """
    values: dict[str, str] = {}
    for preference in request.headers.get("Prefer", "")[:MAX_HEADER_CHARACTERS].split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        values.setdefault(name.strip().lower(), value.strip().strip('"'))
    wait = values.get("wait", "")
    return Preferences(
        respond_async="respond-async" in values,
        wait_seconds=min(float(wait), settings.SPMS_INLINE_DEADLINE) if is_whole_number(wait) else None,
    )


def preference_applied(preferences: Preferences, task: Task) -> dict[str, str]:
    """Return the header that lists the preferences that were honoured, if any."""
    honoured = ["respond-async"] if preferences.respond_async and task.mode == Task.Mode.QUEUE else []
    if preferences.wait_seconds is not None:
        honoured.append(f"wait={preferences.wait_seconds:g}")
    return {"Preference-Applied": ", ".join(honoured)} if honoured else {}
