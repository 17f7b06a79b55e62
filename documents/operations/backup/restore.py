"""Restore a backup: everything is checked before anything is changed.

Files come first and the database after them, so no row ever names a file that is not there; what a restore that
was broken off leaves are files that no row names, and the clean-up removes those.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from documents.infrastructure import data_dir_lock, storage
from documents.models import Cluster, Document, Project, Task
from documents.operations.backup import archive, create, database
from documents.operations.backup.archive import BackupError, Manifest

OURS = ("documents.", "metrics.")


def restore(path: Path, *, is_replacing: bool, is_forced: bool = False) -> Manifest:
    """Put the archive's database and files in place, and migrate to the present version."""
    with path.open("rb") as stream, _alone(is_forced=is_forced):
        manifest = archive.verify(stream)
        _require_fitting(manifest)
        database.require_tools()
        if not is_replacing:
            _require_empty()
        with storage.workspace() as work:
            database.restore(_put_files(stream, manifest, work), work)
    call_command("migrate", verbosity=0)
    Cluster.objects.all().delete()  # those that ran at the time of the backup
    return manifest


def _put_files(stream: IO[bytes], manifest: Manifest, work: Path) -> Path:
    """Put every file into its storage; return where the database waits."""
    database = work / "none"
    for name, path in archive.extract(stream, manifest, work):
        folder, _, rest = name.partition("/")
        if name == archive.DATABASES[manifest.engine]:
            database = path
        elif name == archive.KEY:
            path.chmod(0o600)
            path.replace(Path(settings.SPMS_DATA_DIR) / archive.KEY)
        else:
            storage.put(create.storage_for(folder), rest, path)
            path.unlink(missing_ok=True)
    return database


def _require_fitting(manifest: Manifest) -> None:
    engine = database.engine()
    if manifest.engine != engine:
        raise BackupError(
            f"This archive is of a system on {manifest.engine}, and DATABASE_URL names one on {engine}."
        )
    if archive.DATABASES[engine] not in manifest.sha256:
        raise BackupError("This archive has no database.")
    known = {f"{app}.{name}" for app, name in MigrationLoader(connection).disk_migrations}
    unknown = [name for name in manifest.migrations if name.startswith(OURS) and name not in known]
    if unknown or _numbers(manifest.version) > _numbers(create.version()):
        newest = f", with {unknown[-1]}" if unknown else ""
        raise BackupError(
            f"This archive was made by a newer version ({manifest.version}{newest}) than this one"
            f" ({create.version()}): restore it with that version."
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def _require_empty() -> None:
    there = set(database.tables())
    for model in (User, Project, Document, Task):
        if model._meta.db_table in there and model._default_manager.exists():
            name = model._meta.verbose_name_plural
            raise BackupError(f"This system has {name} already. Repeat with --replace to lose what it has.")
    for folder in archive.FOLDERS:
        if next(storage.iter_names(create.storage_for(folder)), None):
            raise BackupError(
                f"This system has files in {folder}/ already. Repeat with --replace to keep them too."
            )


@contextlib.contextmanager
def _alone(*, is_forced: bool) -> Iterator[None]:
    """Keep web and workers of this data folder from starting; refuse while any of the system runs."""
    with data_dir_lock.exclusive_lock(Path(settings.SPMS_DATA_DIR)) as is_alone:
        if not is_forced:
            _require_stopped(is_alone=is_alone)
        yield


def _require_stopped(*, is_alone: bool) -> None:
    if not is_alone:
        raise BackupError("The web server or a cluster of workers runs on this data folder: stop it first.")
    clusters = Cluster.objects.live() if Cluster._meta.db_table in database.tables() else []
    if names := [cluster.name for cluster in clusters]:
        raise BackupError(
            f"A cluster of workers runs ({names[0]}): stop it, wait ten seconds, then try again."
        )
    if others := database.other_sessions():
        raise BackupError(
            f"{others} other connection(s) to the database are open: stop web, workers and evaluator first,"
            " or say --force if these are none of them."
        )
