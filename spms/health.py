"""Health checks: whether the process is alive, and whether it can serve requests."""

import functools
import secrets
import shutil
import tempfile

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import DatabaseError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from documents.queue import hints
from metrics import flag
from spms import problems

MIN_FREE_BYTES = 64 * 1024**2


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """Return 200 while the process can respond at all."""
    return JsonResponse({"status": "ok"})


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Return 200 if requests can be served, otherwise 503, with ``ok`` or the fault of each check.

    ``?skip=workers`` leaves that check out: without workers a server still serves pages and inline PDFs.
    """
    skipped = request.GET.getlist("skip")
    checks = {name: check() for name, check in CHECKS.items() if name not in skipped}
    if faults := [f"{name}: {fault}" for name, fault in checks.items() if fault != "ok"]:
        detail = f"Not usable: {'; '.join(faults)}."
        return problems.response(503, slug="not-ready", title="Not ready", detail=detail, checks=checks)
    return JsonResponse({"status": "ok", "checks": checks})


def _database() -> str:
    """Write a row and roll it back: a standby or a full disk answers queries, but no request that stores anything."""
    try:
        connection.ensure_connection()
    except DatabaseError:
        return "it does not answer"
    try:
        with transaction.atomic():
            Session.objects.create(session_key=f"ready-{secrets.token_hex(8)}", expire_date=timezone.now())
            transaction.set_rollback(True)
    except DatabaseError as error:
        reason = str(error).partition("\n")[0]
        return f"it does not accept writes ({reason})" if connection.is_usable() else "it does not answer"
    return "ok"


def _migrations() -> str:
    """Check that all migrations of this version are applied; a newer database is no fault."""
    try:
        missing = _needed() - set(MigrationRecorder(connection).applied_migrations())
    except DatabaseError:
        return "the database does not answer"
    names = ", ".join(f"{app}.{name}" for app, name in sorted(missing))
    return f"{names} not applied, run: spms migrate" if missing else "ok"


@functools.cache
def _needed() -> set[tuple[str, str]]:
    return set(MigrationLoader(None).graph.leaf_nodes())


def _disk() -> str:
    try:
        with tempfile.TemporaryFile(dir=settings.SPMS_DATA_DIR) as probe:
            probe.write(b"\0" * 4096)
        free_bytes = shutil.disk_usage(settings.SPMS_DATA_DIR).free
    except OSError as error:
        return f"SPMS_DATA_DIR cannot be written ({error.strerror})"
    return "ok" if free_bytes > MIN_FREE_BYTES else f"only {free_bytes // 1024**2} MB are free"


def _workers() -> str:
    """Check for a live worker if the mode is queue and the queue is not paused."""
    try:
        is_needed = flag.mode() == "queue" and hints.paused() is None
        return (
            "no worker is alive, and the mode is queue"
            if is_needed and not hints.has_live_workers()
            else "ok"
        )
    except DatabaseError:
        return "the database does not answer"


CHECKS = {"database": _database, "migrations": _migrations, "disk": _disk, "workers": _workers}
