"""Restore a backup: everything is checked before anything is changed.

Files are restored before the database, so no row ever names a missing file. An interrupted restore leaves only files
that no row names, and the clean-up removes those.
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
from django.template.defaultfilters import pluralize

from documents.infrastructure import data_dir_lock, storage
from documents.models import Cluster, Document, Project, Task
from documents.operations.backup import archive, create, database
from documents.operations.backup.manifest import BackupError, Manifest
from metrics import progress

OURS = ("documents.", "metrics.")
MIB = 1024**2


def restore(
    path: Path, *, is_replacing: bool, is_forced: bool = False, report: progress.Report = progress.ignore
) -> Manifest:
    """Restore the database and files of an archive, and migrate to the present version. Raises BackupError."""
    with path.open("rb") as stream, _exclusive(is_forced=is_forced):
        size_mib = path.stat().st_size // MIB
        manifest = archive.verify(stream, lambda: report("MiB checked", stream.tell() // MIB, size_mib))
        _require_fitting(manifest)
        database.require_tools()
        if not is_replacing:
            _require_empty()
        with storage.workspace() as work:
            database.restore(_put_files(stream, manifest, work, report), work)
    call_command("migrate", verbosity=0)
    Cluster.objects.all().delete()  # they ran at the time of the backup
    return manifest


def _put_files(stream: IO[bytes], manifest: Manifest, work: Path, report: progress.Report) -> Path:
    """Put every file into its storage; return the path of the database's snapshot."""
    snapshot = work / "none"
    for number, (name, path) in enumerate(archive.extract(stream, manifest, work), start=1):
        report("files", number, len(manifest.sha256))
        folder, _, rest = name.partition("/")
        if name == archive.DATABASES[manifest.engine]:
            snapshot = path
        elif name == archive.KEY:
            path.chmod(0o600)
            path.replace(Path(settings.SPMS_DATA_DIR) / archive.KEY)
        else:
            storage.put(create.storage_for(folder), rest, path)
            path.unlink(missing_ok=True)
    return snapshot


def _require_fitting(manifest: Manifest) -> None:
    engine = database.engine()
    if manifest.engine != engine:
        raise BackupError(
            f"This archive holds a database of {manifest.engine}, but DATABASE_URL names {engine}."
        )
    if archive.DATABASES[engine] not in manifest.sha256:
        raise BackupError("This archive has no database.")
    if len(set(archive.DATABASES.values()) & set(manifest.sha256)) > 1:
        raise BackupError("This archive cannot be trusted: it has two databases.")
    existing = {f"{app}.{name}" for app, name in MigrationLoader(connection).disk_migrations}
    unknown = [name for name in manifest.migrations if name.startswith(OURS) and name not in existing]
    if unknown or _numbers(manifest.version) > _numbers(create.version()):
        newest = f", with {unknown[-1]}" if unknown else ""
        raise BackupError(
            f"This archive was made by a newer version ({manifest.version}{newest}) than this one"
            f" ({create.version()}): restore it with that version."
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def _require_empty() -> None:
    tables = set(database.tables())
    for model in (User, Project, Document, Task):
        if model._meta.db_table in tables and model._default_manager.exists():
            name = model._meta.verbose_name_plural
            raise BackupError(f"This system has {name} already. Repeat with --replace to replace its data.")
    for folder in archive.FOLDERS:
        if next(storage.iter_names(create.storage_for(folder)), None):
            raise BackupError(
                f"This system has files in {folder}/ already. Repeat with --replace to keep them too."
            )


@contextlib.contextmanager
def _exclusive(*, is_forced: bool) -> Iterator[None]:
    """Keep web and workers of this data folder from starting; raises BackupError if any part is running."""
    with data_dir_lock.exclusive_lock(Path(settings.SPMS_DATA_DIR)) as is_unused:
        if not is_forced:
            _require_stopped(is_unused=is_unused)
        yield


def _require_stopped(*, is_unused: bool) -> None:
    if not is_unused:
        raise BackupError("The web server or a cluster of workers uses this data folder. Stop it first.")
    clusters = Cluster.objects.live() if Cluster._meta.db_table in database.tables() else []
    if names := [cluster.name for cluster in clusters]:
        raise BackupError(
            f"A cluster of workers is running ({names[0]}). Stop it, wait ten seconds, then try again."
        )
    if others := database.other_sessions():
        raise BackupError(
            f"The database has {others} other connection{pluralize(others)}. Stop web, workers and evaluator first,"
            " or use --force if the connections belong to none of them."
        )
