"""Write files that survive a power cut, and hash them; free of Django, so that rendering processes can use it."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Protocol

CHUNK_BYTES = 1024**2


class Readable(Protocol):
    """A binary stream, or an upload, that is read in pieces."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, none at the end."""


@contextlib.contextmanager
def write_durably(path: Path, mode: str = "wb", **options: Any) -> Iterator[IO[Any]]:
    """Open a file for writing, and sync it to the disk before it is closed; ``options`` are those of ``open``."""
    with path.open(mode, **options) as stream:
        yield stream
        sync(stream)


def copy_hashed(source: Readable, target: IO[bytes]) -> tuple[str, int]:
    """Copy a stream from where it stands to its end; return the SHA-256 and the size of the copy in bytes."""
    sha256, size_bytes = hashlib.sha256(), 0
    while chunk := source.read(CHUNK_BYTES):
        sha256.update(chunk)
        size_bytes += len(chunk)
        target.write(chunk)
    return sha256.hexdigest(), size_bytes


def sync_and_hash(path: Path) -> tuple[str, int]:
    """Sync a finished file to the disk; return its SHA-256 and its size in bytes."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
        return hashlib.file_digest(stream, "sha256").hexdigest(), stream.tell()


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file. Raises FileNotFoundError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sync(stream: IO[Any]) -> None:
    """Sync what was written to an open file to the disk."""
    stream.flush()
    os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """Sync the names in a folder to the disk, so that they survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
