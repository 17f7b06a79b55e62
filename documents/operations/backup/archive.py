"""Write and read archives: a plain tar whose last member lists the SHA-256 of all others."""

import contextlib
import hashlib
import io
import json
import os
import re
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO

from documents.infrastructure import files
from documents.operations.backup.manifest import BackupError, Manifest, parse

MANIFEST, KEY = "manifest.json", "secret_key"
DATABASES = {"sqlite": "database.sqlite3", "postgresql": "database.pgdump"}
FOLDERS = ("media", "results")
FOLDER_MEMBER = re.compile(rf"(?:{'|'.join(FOLDERS)})(?:/[^/\\\x00-\x1f]+)+")
MAX_MANIFEST_BYTES = 1024**3


class HashingReader:
    """Reads a stream in full pieces, however little it returns at once, and hashes it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._sha256 = stream, hashlib.sha256()

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, fewer only at the end."""
        parts: list[bytes] = []
        while size > 0 and (part := self._stream.read(size)):
            parts.append(part)
            size -= len(part)
        data = b"".join(parts)
        self._sha256.update(data)
        return data

    def hexdigest(self) -> str:
        """Return the SHA-256 of all that was read."""
        return self._sha256.hexdigest()


class Writer:
    """Writes members one by one, and the manifest at the end."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._tar = tarfile.open(fileobj=stream, mode="w:", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self.sha256: dict[str, str] = {}

    def add(self, name: str, source: IO[bytes], size: int) -> None:
        """Add a member of ``size`` bytes."""
        hashing = HashingReader(source)
        self._tar.addfile(_member(name, size), hashing)  # type: ignore[arg-type]
        self.sha256[name] = hashing.hexdigest()

    def finish(self, manifest: Manifest) -> None:
        """Add the manifest, which completes the archive."""
        text = json.dumps(asdict(manifest), indent=1).encode()
        self._tar.addfile(_member(MANIFEST, len(text)), io.BytesIO(text))
        self._tar.close()


@contextlib.contextmanager
def atomic_file(target: Path) -> Iterator[IO[bytes]]:
    """Yield a private file that gets its name when it is complete, and is removed if anything fails."""
    private = target.with_name(f".{target.name}.{os.getpid()}.part")
    descriptor = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            files.sync(stream)
        private.rename(target)
        files.sync_folder(target.parent)
    finally:
        private.unlink(missing_ok=True)


def verify(stream: IO[bytes], on_member: Callable[[], None] = lambda: None) -> Manifest:
    """Read the whole archive and return its manifest; raises BackupError unless every SHA-256 matches.

    ``on_member`` is called after each member.
    """
    manifest: Manifest | None = None
    digests: dict[str, str] = {}
    with _translate_errors():
        for member, content in _members(stream):
            if member.name == MANIFEST:
                manifest = _parse(member, content)
            else:
                digests[member.name] = hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]
            on_member()
    if manifest is None:
        raise BackupError("This archive is cut off: the manifest at its end is missing.")
    if different := set(digests.items()) ^ set(manifest.sha256.items()):
        name = repr(min(different)[0])[1:-1]  # its control characters must not reach the terminal
        raise BackupError(f"This archive is damaged: {name} does not match the manifest.")
    return manifest


def extract(stream: IO[bytes], manifest: Manifest, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield each member but the manifest as a synced file in ``folder``, checked again; raises BackupError."""
    with _translate_errors():
        for number, (member, content) in enumerate(_members(stream)):
            if member.name != MANIFEST:
                path = folder / f"member-{number}"
                with files.write_durably(path) as target:
                    digest, _ = files.copy_hashed(content, target)
                if digest != manifest.sha256[member.name]:
                    raise BackupError(f"{member.name} changed while it was restored.")
                yield member.name, path


@contextlib.contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, OverflowError, ValueError, RecursionError, MemoryError) as error:
        raise BackupError(
            f"This is not a complete archive of SPMS ({error or type(error).__name__})."
        ) from error


def _members(stream: IO[bytes]) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    """Yield the members with their contents; raises BackupError for any but plain files with our names."""
    stream.seek(0)
    names: set[str] = set()
    with tarfile.open(fileobj=stream, mode="r:") as tar:
        for member in tar:
            _require_ours(member, names)
            names.add(member.name)
            if (content := tar.extractfile(member)) is not None:
                yield member, content


def _require_ours(member: tarfile.TarInfo, earlier_names: set[str]) -> None:
    name = member.name
    is_known = name in {MANIFEST, KEY, *DATABASES.values()}
    is_inside = bool(FOLDER_MEMBER.fullmatch(name)) and not {".", ".."} & set(name.split("/"))
    if not (is_known or is_inside) or name in earlier_names:
        raise BackupError(f"This archive cannot be trusted: it has a member {name!r}.")
    if member.type not in {tarfile.REGTYPE, tarfile.AREGTYPE} or member.issparse():
        raise BackupError(f"This archive cannot be trusted: {name!r} is not a plain file.")


def _parse(member: tarfile.TarInfo, content: IO[bytes]) -> Manifest:
    if member.size > MAX_MANIFEST_BYTES:
        raise BackupError("This archive cannot be trusted: its manifest is too large.")
    return parse(content.read())


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(time.time())
    return member
