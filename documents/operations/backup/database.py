"""Write a snapshot of the database to a file, and restore it, on SQLite and on PostgreSQL."""

import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from psycopg import pq

from documents.operations.backup.manifest import BackupError

type Query = Callable[[str], list[tuple[Any, ...]]]

INSTALL_HINT = Path("/usr/lib/postgresql")
DEFINES_TABLES = re.compile(r"^\d+; \d+ \d+ TABLE (\S+) (\S+) ", re.MULTILINE)


def engine() -> str:
    """Return ``sqlite`` or ``postgresql``; raises BackupError for others."""
    if connection.vendor not in {"sqlite", "postgresql"}:
        raise BackupError(f"Backups support SQLite and PostgreSQL, not {connection.display_name}.")
    return connection.vendor


@contextlib.contextmanager
def snapshot(path: Path) -> Iterator[Query]:
    """Write a consistent snapshot of the database to a file, and yield a function that queries the snapshot.

    Readers and writers are not blocked. Raises BackupError.
    """
    with _snapshot_sqlite(path) if engine() == "sqlite" else _snapshot_postgresql(path) as query:
        yield query


def restore(path: Path, work: Path) -> None:
    """Replace the database with a snapshot, in one transaction; raises BackupError with nothing changed."""
    if engine() == "sqlite":
        _restore_sqlite(path)
    else:
        _restore_postgresql(path, work)


def require_tools() -> None:
    """Raise BackupError unless the programs of PostgreSQL that a restore needs are installed."""
    if engine() == "postgresql":
        _programs("pg_restore", "psql")


def other_sessions() -> int:
    """Return the number of other connections to a PostgreSQL database; 0 for SQLite, which cannot tell."""
    if engine() == "sqlite":
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])


def tables() -> list[str]:
    """Return the existing tables of this application."""
    introspection = connection.introspection
    existing = introspection.table_names()
    ours = introspection.django_table_names(only_existing=True)
    return sorted({*ours, "django_migrations"} & set(existing))


@contextlib.contextmanager
def _snapshot_sqlite(path: Path) -> Iterator[Query]:
    connection.ensure_connection()
    with contextlib.closing(sqlite3.connect(path)) as copy:
        try:
            connection.connection.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a write-ahead log
        except sqlite3.Error as error:
            raise BackupError(f"SQLite failed: {error}.") from error
        yield lambda sql: copy.execute(sql).fetchall()


@contextlib.contextmanager
def _snapshot_postgresql(path: Path) -> Iterator[Query]:
    [pg_dump] = _programs("pg_dump")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT pg_export_snapshot()")
        [snapshot_id] = cursor.fetchone()
        options = ["--format=custom", f"--snapshot={snapshot_id}", "--no-owner", "--no-acl", f"--file={path}"]
        _run(pg_dump, *options, *(f'--table="{table}"' for table in tables()))

        def query(sql: str) -> list[tuple[Any, ...]]:
            cursor.execute(sql)
            return list(cursor.fetchall())

        yield query


def _restore_sqlite(path: Path) -> None:
    name = str(connection.settings_dict["NAME"])
    connection.close()
    with (
        contextlib.closing(sqlite3.connect(path)) as source,
        contextlib.closing(sqlite3.connect(name)) as target,
    ):
        try:
            [[verdict]] = source.execute("PRAGMA quick_check(1)").fetchall()
            if verdict != "ok":
                raise BackupError(f"The database in this archive is damaged: {verdict}.")
            source.backup(target)
        except sqlite3.Error as error:
            raise BackupError(f"SQLite failed ({error}); the database is unchanged.") from error


def _restore_postgresql(path: Path, work: Path) -> None:
    pg_restore, psql = _programs("pg_restore", "psql")
    listing, script, dropping = work / "listing", work / "restore.sql", work / "drop.sql"
    _run(pg_restore, "--list", f"--file={listing}", str(path))
    replaced = {name for _, name in DEFINES_TABLES.findall(listing.read_text())} | set(tables())
    dropping.write_text("".join(f'DROP TABLE IF EXISTS "{name}" CASCADE;\n' for name in sorted(replaced)))
    _run(pg_restore, "--no-owner", "--no-acl", f"--file={script}", str(path))
    connection.close()
    options = [
        "--no-psqlrc",
        "--quiet",
        "--set=ON_ERROR_STOP=1",
        "--single-transaction",
        "--output=/dev/null",
    ]
    _run(psql, *options, f"--file={dropping}", f"--file={script}")


def _run(program: Path, *options: str) -> None:
    completed = subprocess.run(
        [str(program), *options],
        env=dict(os.environ) | _connection_variables(),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if completed.returncode:
        reason = next(iter(completed.stderr.strip().splitlines()), f"exit status {completed.returncode}")
        raise BackupError(f"{program.name} failed, and nothing was changed: {reason}")


def _connection_variables() -> dict[str, str]:
    """Return the environment variables of libpq for our database; arguments would expose the password."""
    parameters = connection.get_connection_params()
    variables = {option.keyword.decode(): option.envvar for option in pq.Conninfo.get_defaults()}
    return {
        variable.decode(): str(parameters[keyword])
        for keyword, variable in variables.items()
        if variable and parameters.get(keyword) is not None
    } | {"PGCLIENTENCODING": "UTF8"}


def _programs(*names: str) -> list[Path]:
    """Return programs of PostgreSQL, all from one folder and at least as new as the server."""
    server = connection.pg_version // 10_000  # type: ignore[attr-defined]
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    folders += [path / "bin" for path in INSTALL_HINT.glob("*")]
    fitting = [
        (version, folder)
        for folder in folders
        if all(shutil.which(folder / name) for name in names)
        and (version := _version(folder / names[0])) >= server
    ]
    if not fitting:
        raise BackupError(
            f"{' and '.join(names)} of PostgreSQL {server} or newer are needed and not in PATH; on Debian:"
            f" apt-get install postgresql-client-{server}"
        )
    # The oldest that suffices: a newer one may write what this server does not understand.
    folder = min(fitting, key=lambda version_and_folder: version_and_folder[0])[1]
    return [folder / name for name in names]


def _version(program: Path) -> int:
    completed = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"(\d+)(?:\.\d+|devel|beta|rc)", completed.stdout)
    return int(match[1]) if match else 0
