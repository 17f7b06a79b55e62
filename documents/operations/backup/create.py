"""Make a backup while the system runs.

The snapshot of the database comes first and the files follow. A file is written before the row that names it and
never changed in place, so every file that the snapshot names exists when the copying of files begins. In the other
order, a PDF published in between would be named by a row and missing from the archive.
"""

import contextlib
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.storage import Storage, default_storage

from documents.infrastructure import data_dir_lock, storage
from documents.models import Document, DocumentImage, Project, Task
from documents.operations.backup import archive, database
from documents.operations.backup.archive import Writer
from documents.operations.backup.manifest import FORMAT, BackupError, Manifest
from metrics import progress
from metrics.decisions import metric_names

COUNTED = {"users": User, "projects": Project, "documents": Document, "images": DocumentImage, "tasks": Task}
COUNT, FILES = "SELECT count(*) FROM {}", "SELECT file FROM {} WHERE file <> ''"
NAMING = {"media": DocumentImage, "results": Task}


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What the snapshot of the database contains."""

    migrations: list[str]
    counts: dict[str, int]
    file_names: set[str]


def create(
    folder: Path,
    *,
    with_key: bool = False,
    with_bucket: bool = False,
    report: progress.Report = progress.ignore,
) -> tuple[Path, Manifest]:
    """Write an archive into a folder; return its path and its manifest. Raises BackupError."""
    made_at = datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / f"spms-{made_at:%Y%m%dT%H%M%SZ}.tar"
    lock = data_dir_lock.backup_lock(Path(settings.SPMS_DATA_DIR))
    with lock, storage.workspace() as work, archive.atomic_file(target) as stream:
        writer = Writer(stream)
        snapshot = _add_database(writer, work)
        if with_key:
            _add_path(writer, archive.KEY, Path(settings.SPMS_DATA_DIR) / "secret_key")
        location = files_location()
        has_files = location == "archive" or with_bucket
        if has_files:
            _add_files(writer, report, len(snapshot.file_names))
        manifest = Manifest(
            format=FORMAT,
            version=version(),
            engine=database.engine(),
            made_at=made_at.isoformat(timespec="seconds"),
            migrations=snapshot.migrations,
            counts=snapshot.counts,
            files="archive" if has_files else location,
            gone=len(snapshot.file_names - set(writer.sha256)) if has_files else 0,
            sha256=writer.sha256,
        )
        writer.finish(manifest)
    (Path(settings.SPMS_DATA_DIR) / metric_names.LAST_BACKUP_FILE).touch()
    return target, manifest


def version() -> str:
    """Return the version of the code."""
    return str(tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]["version"])


def files_location() -> str:
    """Return ``archive`` if archives contain the files, or the bucket that holds them."""
    try:
        default_storage.path("any")
    except NotImplementedError:
        return str(settings.SPMS_FILE_STORAGE)
    return "archive"


def storage_for(folder: str) -> Storage:
    """Return the storage of the files in a folder of the archive."""
    return storage.results() if folder == "results" else default_storage


def _add_database(writer: Writer, work: Path) -> Snapshot:
    name = archive.DATABASES[database.engine()]
    if "django_migrations" not in database.tables():
        raise BackupError("There is nothing to back up: the database has no tables (migrate creates them).")
    with database.snapshot(work / name) as query:
        contents = _snapshot(query)
    _add_path(writer, name, work / name)
    (work / name).unlink()
    return contents


def _snapshot(query: database.Query) -> Snapshot:
    applied = query("SELECT app, name FROM django_migrations ORDER BY app, name")
    counts = {name: query(COUNT.format(model._meta.db_table))[0][0] for name, model in COUNTED.items()}
    file_names = {
        f"{folder}/{row[0]}"
        for folder, model in NAMING.items()
        for row in query(FILES.format(model._meta.db_table))
    }
    return Snapshot(
        migrations=[f"{app}.{name}" for app, name in applied], counts=counts, file_names=file_names
    )


def _add_files(writer: Writer, report: progress.Report, expected: int) -> None:
    for folder in archive.FOLDERS:
        for name in _whole_files(storage_for(folder)):
            # The clean-up may remove a file at this moment; the manifest counts it if a row names it.
            with contextlib.suppress(FileNotFoundError), storage_for(folder).open(name) as source:
                writer.add(f"{folder}/{name}", source, source.size)
            report("files", len(writer.sha256), max(expected, len(writer.sha256)))


def _whole_files(files: Storage) -> Iterator[str]:
    return (name for name in storage.iter_names(files) if not name.endswith(".part"))


def _add_path(writer: Writer, name: str, path: Path) -> None:
    with path.open("rb") as source:
        writer.add(name, source, path.stat().st_size)
