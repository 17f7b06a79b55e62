"""Save, open and delete the files of results: the only module that knows Django's storages."""

import contextlib
import errno
import logging
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Protocol, runtime_checkable

import psutil
from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage, storages

from documents import exceptions
from documents.infrastructure import files
from documents.whole_numbers import is_whole_number

FULL_DISK_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

logger = logging.getLogger(__name__)


class StorageUnreachable(OSError):
    """A storage other than a folder cannot be used; the text says why, and what to do."""


@runtime_checkable
class SupportsOffset(Protocol):
    """A storage that can read from the middle of a file without reading its beginning."""

    def open_at(self, name: str, start: int) -> IO[bytes]:
        """Open a file for reading from byte ``start``."""


def results() -> Storage:
    """Return the storage of finished files."""
    return storages["results"]


@contextlib.contextmanager
def translate_storage_errors() -> Iterator[None]:
    """Raise StorageFull or StorageUnavailable for any OSError in the block."""
    try:
        yield
    except OSError as error:
        raise storage_error(error) from error


def is_storage_error(error: OSError) -> bool:
    """Return True if an OSError is about stored files, wherever it occurs."""
    return isinstance(error, StorageUnreachable) or error.errno in FULL_DISK_ERRNOS


def storage_error(error: OSError) -> exceptions.SpmsError:
    """Return the error to show for an OSError."""
    if isinstance(error, StorageUnreachable):
        return exceptions.StorageUnavailable(str(error))
    if error.errno in FULL_DISK_ERRNOS:
        return exceptions.StorageFull(
            "The disk under the data folder is full. Free some space, then try again."
        )
    reason = error.strerror or str(error)
    return exceptions.StorageUnavailable(f"The data folder cannot be read or written: {reason.lower()}.")


def host() -> str:
    """Return this machine's name: a data folder may be shared, and process ids belong to one machine."""
    return settings.HOST_NAME


def run_folder() -> Path:
    """Return the folder of this machine's processes: a data folder may be shared by several machines."""
    return Path(settings.SPMS_DATA_DIR) / "run" / host()


def work_folder() -> Path:
    """Return the folder for unfinished files of this machine's processes."""
    return Path(settings.SPMS_DATA_DIR) / "work" / host()


def remove_stale_folders(parent: Path, prefix: str = "") -> None:
    """Remove the folders ``{prefix}{pid}-…`` of processes that were killed."""
    for folder in parent.glob(f"{prefix}*-*"):
        pid = folder.name.removeprefix(prefix).split("-")[0]
        if is_whole_number(pid) and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """Yield a private folder on the disk of the results, which is removed afterwards.

    Raises StorageFull, StorageUnavailable.
    """
    with translate_storage_errors():
        parent = work_folder()
        parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=parent, prefix=f"{os.getpid()}-", ignore_cleanup_errors=True)
    with folder as name:
        yield Path(name)


def save(finished: Path, *, suffix: str, is_lasting: bool = True) -> str:
    """Save a finished file under a new private name and return that name.

    The file must be complete and synced. On a local disk it is moved, so that it appears whole or not at all; to
    other storage it is sent. A file that can be made again need not be ``is_lasting``: a power cut may damage it.
    Raises StorageFull, StorageUnavailable.
    """
    name = f"{datetime.now(UTC):%Y/%m}/{uuid.uuid4().hex}{suffix}"
    with translate_storage_errors():
        put(results(), name, finished, is_lasting=is_lasting)
    return name


def store_upload(upload: IO[bytes] | File[bytes], *, suffix: str) -> tuple[str, str]:
    """Save an uploaded file with the results; return its name there and its SHA-256.

    Raises StorageFull, StorageUnavailable.
    """
    upload.seek(0)
    with workspace() as folder, translate_storage_errors():
        path = folder / "upload"
        with files.write_durably(path) as target:
            digest, _ = files.copy_hashed(upload, target)
        return save(path, suffix=suffix), digest


def put(storage: Storage, name: str, finished: Path, *, is_lasting: bool = True) -> None:
    """Put a finished file into a storage under exactly this name: whole or not at all. Raises OSError."""
    if (target := local_path(storage, name)) is None:
        with finished.open("rb") as stream:
            storage.save(name, File(stream))  # an object appears once all of it was received
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    _move(finished, target)
    if is_lasting:
        files.sync_folder(target.parent)


def local_path(storage: Storage, name: str) -> Path | None:
    """Return the path of a stored file if it is on this machine's disk; the file may be missing."""
    try:
        return Path(storage.path(name))
    except NotImplementedError:
        return None


def local_copy(storage: Storage, name: str, folder: Path) -> Path:
    """Return where this machine can read a stored file: its own path, or else that of a copy in ``folder``.

    Raises FileNotFoundError if there is nothing to copy, StorageUnreachable. A file on this machine's disk may be
    missing.
    """
    if (path := local_path(storage, name)) is not None:
        return path
    copy = folder / PurePosixPath(name).name
    with storage.open(name) as source, copy.open("wb") as target:
        files.copy_hashed(source, target)
    return copy


def open_file(name: str, *, start: int = 0) -> IO[bytes]:
    """Open a stored file for reading from byte ``start``; raises FileNotFoundError, StorageUnreachable."""
    storage = results()
    if isinstance(storage, SupportsOffset):
        return storage.open_at(name, start)
    stream: IO[bytes] = storage.open(name)
    stream.seek(start)
    return stream


def exists(name: str) -> bool:
    """Return True if a file is stored under this name."""
    return bool(name) and results().exists(name)


def delete(name: str) -> None:
    """Delete a stored file, if it exists; if the storage is unreachable, the next clean-up deletes it."""
    try:
        results().delete(name)
    except FileNotFoundError:
        pass
    except StorageUnreachable as error:
        logger.warning("a file stays until the next clean-up: %s", error)


def _move(finished: Path, target: Path) -> None:
    """Move a file; to another disk it is copied under another name first, so that no half of it is visible."""
    try:
        finished.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        partial = target.with_suffix(".part")
        try:
            with finished.open("rb") as source, files.write_durably(partial) as copy:
                shutil.copyfileobj(source, copy)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)


def iter_names(storage: Storage, folder: str = "") -> Iterator[str]:
    """Yield the names of all files of a storage."""
    try:
        folders, names = storage.listdir(folder)
    except FileNotFoundError:
        return
    prefix = f"{folder}/" if folder else ""
    yield from (f"{prefix}{name}" for name in names)
    for name in folders:
        yield from iter_names(storage, f"{prefix}{name}")
