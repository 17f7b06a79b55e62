"""Have PostgreSQL notice a client that was cut off, and free what it had locked."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from spms import environment

# The server notices as soon as its clients do. By default it takes two hours, for which the rows that a cut-off host
# had locked stop all others.
SETTINGS = {f"tcp_{name}": str(value) for name, value in environment.KEEPALIVES.items()}
SETTINGS |= {"tcp_user_timeout": str(environment.TCP_USER_TIMEOUT_MILLISECONDS)}
SET_ALL = "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS given (name, value)"


def watch_client(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Set the keepalives of the server's end of a new connection; a receiver of ``connection_created``.

    They are not sent with the login: a pooler refuses one that names them. Over a socket file they do nothing.
    """
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(SET_ALL, [list(SETTINGS), list(SETTINGS.values())])
