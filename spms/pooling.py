"""Notice a pooler between SPMS and PostgreSQL, such as PgBouncer, and check the settings that it needs."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning as CheckWarning
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

WARNING = (
    "a pooler is between the queue and PostgreSQL: NOTIFY may be lost, and tasks then wait up to 2 s. Set"
    " SPMS_LISTEN_DATABASE_URL to the address of PostgreSQL itself."
)


def is_pooled(connection: BaseDatabaseWrapper) -> bool:
    """Return True if the server process is not the one that answered the login. Raises DatabaseError."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [pid] = cursor.fetchone()
    return bool(connection.connection.info.backend_pid != pid)


def check_pooler(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Warn of a pooler without SPMS_LISTEN_DATABASE_URL; runs with ``check --database default`` and ``migrate``."""
    warnings: list[CheckMessage] = []
    for alias in databases or ():
        connection = connections[alias]
        if connection.vendor == "postgresql" and not settings.SPMS_LISTEN_DATABASE and _is_pooled(connection):
            warnings.append(CheckWarning(WARNING, hint="See docs/managed-services.md.", id="spms.W030"))
    return warnings


def _is_pooled(connection: BaseDatabaseWrapper) -> bool:
    try:
        return is_pooled(connection)
    except DatabaseError:  # another check reports it
        return False
