"""Save, open and delete the files of results: the only room that knows storage."""

import contextlib
import errno
import os
import platform
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import psutil
from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage, storages

from documents import errors

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def results() -> Storage:
    """Return the storage of finished files."""
    return storages["results"]


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Turn the system's errors about the data folder into ones that say what to do."""
    try:
        yield
    except OSError as error:
        raise storage_error(error) from error


def storage_error(error: OSError) -> errors.SpmsError:
    """Return the error to show for one of the system's."""
    if error.errno in NO_ROOM:
        return errors.StorageFull("The disk under the data folder is full. Free some space, then try again.")
    reason = error.strerror or str(error)
    return errors.StorageUnavailable(f"The data folder cannot be read or written: {reason.lower()}.")


def host() -> str:
    """Return this machine's name: a data folder may be shared, and process ids belong to one machine."""
    return platform.node() or "localhost"


def work_folder() -> Path:
    """Return where this machine's processes keep what is not finished."""
    return Path(settings.SPMS_DATA_DIR) / "work" / host()


def sweep(parent: Path, prefix: str = "") -> None:
    """Remove the folders ``{prefix}{pid}-…`` of processes that were killed."""
    for folder in parent.glob(f"{prefix}*-*"):
        pid = folder.name.removeprefix(prefix).split("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """Give a private folder on the disk of the results, which is gone afterwards."""
    with plain_errors():
        parent = work_folder()
        parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=parent, prefix=f"{os.getpid()}-", ignore_cleanup_errors=True)
    with folder as name:
        yield Path(name)


def save(finished: Path, *, suffix: str) -> str:
    """Keep a finished file under a private new name and return that name.

    The file must be complete and synced. On a local disk it is moved, so that it is there whole or not at
    all; on other storage it is sent.
    """
    name = f"{datetime.now(UTC):%Y/%m}/{uuid.uuid4().hex}{suffix}"
    with plain_errors():
        try:
            target = Path(results().path(name))
        except NotImplementedError:
            with finished.open("rb") as stream:
                return results().save(name, File(stream))
        target.parent.mkdir(parents=True, exist_ok=True)
        _move(finished, target)
        _sync_folder(target.parent)
    return name


def open_file(name: str) -> IO[bytes]:
    """Open a kept file for reading; raises FileNotFoundError when it is gone."""
    return results().open(name)


def exists(name: str) -> bool:
    """Say whether a kept file is there."""
    return bool(name) and results().exists(name)


def delete(name: str) -> None:
    """Delete a kept file; one that is gone already is fine."""
    with contextlib.suppress(FileNotFoundError):
        results().delete(name)


def _move(finished: Path, target: Path) -> None:
    """Move a file; to another disk it goes under another name first, so that no half of it is seen."""
    try:
        finished.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        partial = target.with_suffix(".part")
        try:
            with finished.open("rb") as source, partial.open("wb") as copy:
                shutil.copyfileobj(source, copy)
                copy.flush()
                os.fsync(copy.fileno())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
