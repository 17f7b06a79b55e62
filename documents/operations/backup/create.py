"""Make a backup while the system runs.

The database comes first, as of one moment, and the files after it. A file is written before the row that names
it and never changed in place: all that the database of that moment names is already there when the copying of
files begins. The other way round, a PDF published in between would be in a row and not in the archive.
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

from documents.infrastructure import storage
from documents.models import Document, DocumentImage, Project, Task
from documents.operations.backup import archive, database
from documents.operations.backup.archive import Manifest, Writer

COUNTED = {"users": User, "projects": Project, "documents": Document, "images": DocumentImage, "tasks": Task}
COUNT, FILES = "SELECT count(*) FROM {}", "SELECT file FROM {} WHERE file <> ''"
NAMING = {"media": DocumentImage, "results": Task}


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What the database said of itself at the moment of its snapshot."""

    migrations: list[str]
    counts: dict[str, int]
    named: set[str]


def create(folder: Path, *, with_key: bool = False, with_bucket: bool = False) -> tuple[Path, Manifest]:
    """Write an archive into a folder; return its path and what it holds."""
    made_at = datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / f"spms-{made_at:%Y%m%dT%H%M%SZ}.tar"
    with storage.workspace() as work, archive.atomic_file(target) as stream:
        writer = Writer(stream)
        moment = _add_database(writer, work)
        if with_key:
            _add_path(writer, archive.KEY, Path(settings.SPMS_DATA_DIR) / "secret_key")
        where = files_location()
        takes_files = where == "archive" or with_bucket
        if takes_files:
            _add_files(writer)
        manifest = Manifest(
            format=archive.FORMAT,
            version=version(),
            engine=database.engine(),
            made_at=made_at.isoformat(timespec="seconds"),
            migrations=moment.migrations,
            counts=moment.counts,
            files="archive" if takes_files else where,
            gone=len(moment.named - set(writer.sha256)) if takes_files else 0,
            sha256=writer.sha256,
        )
        writer.finish(manifest)
    return target, manifest


def version() -> str:
    """Return the version of the code."""
    return str(tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]["version"])


def files_location() -> str:
    """Return ``archive`` for files that belong into an archive, or the bucket in which they are."""
    try:
        default_storage.path("any")
    except NotImplementedError:
        return str(settings.SPMS_FILE_STORAGE)
    return "archive"


def storage_for(folder: str) -> Storage:
    """Return the storage whose files are in a folder of the archive."""
    return storage.results() if folder == "results" else default_storage


def _add_database(writer: Writer, work: Path) -> Snapshot:
    name = archive.DATABASES[database.engine()]
    if "django_migrations" not in database.tables():
        raise archive.BackupError(
            "There is nothing to save: the database has no tables (migrate makes them)."
        )
    with database.snapshot(work / name) as query:
        moment = _snapshot(query)
    _add_path(writer, name, work / name)
    (work / name).unlink()
    return moment


def _snapshot(query: database.Query) -> Snapshot:
    applied = query("SELECT app, name FROM django_migrations ORDER BY app, name")
    counts = {name: query(COUNT.format(model._meta.db_table))[0][0] for name, model in COUNTED.items()}
    named = {
        f"{folder}/{row[0]}"
        for folder, model in NAMING.items()
        for row in query(FILES.format(model._meta.db_table))
    }
    return Snapshot(migrations=[f"{app}.{name}" for app, name in applied], counts=counts, named=named)


def _add_files(writer: Writer) -> None:
    for folder in archive.FOLDERS:
        for name in _whole_files(storage_for(folder)):
            # One that the clean-up removed in this moment is missed only if a row names it; that is counted.
            with contextlib.suppress(FileNotFoundError), storage_for(folder).open(name) as source:
                writer.add(f"{folder}/{name}", source, source.size)


def _whole_files(files: Storage) -> Iterator[str]:
    return (name for name in storage.iter_names(files) if not name.endswith(".part"))


def _add_path(writer: Writer, name: str, path: Path) -> None:
    with path.open("rb") as source:
        writer.add(name, source, path.stat().st_size)
