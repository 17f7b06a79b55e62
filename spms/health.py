"""Whether the process lives, and whether it can do its work."""

import tempfile

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from spms import problems


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """Answer as long as the process can answer at all."""
    return JsonResponse({"status": "ok"})


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Answer 200 when requests can be served, otherwise 503 with what is missing."""
    if missing := [name for name, check in CHECKS.items() if not check()]:
        detail = f"Not usable: {', '.join(missing)}."
        return problems.response(503, slug="not-ready", title="Not ready", detail=detail)
    return JsonResponse({"status": "ok", "checks": list(CHECKS)})


def _database() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _data_folder() -> bool:
    try:
        with tempfile.TemporaryFile(dir=settings.SPMS_DATA_DIR) as probe:
            probe.write(b"\0" * 4096)
    except OSError:
        return False
    return True


CHECKS = {"database": _database, "data folder": _data_folder}
