"""Learn whether another connection has written to a SQLite database, without reading any rows."""

from django.db.backends.base.base import BaseDatabaseWrapper

DATA_VERSION = "PRAGMA data_version"


def data_version(connection: BaseDatabaseWrapper) -> int | None:
    """Return a number that changes with each write of another connection; None where the database has none.

    It is asked thirty times a second, so without the overhead of a cursor. Raises DatabaseError and InterfaceError.
    """
    if connection.vendor != "sqlite":
        return None
    connection.ensure_connection()
    with connection.wrap_database_errors:
        return int(connection.connection.execute(DATA_VERSION).fetchone()[0])
