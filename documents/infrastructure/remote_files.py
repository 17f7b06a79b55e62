"""What all storages of files on another server share: private files that are written whole and read from any byte."""

import contextlib
import io
from datetime import datetime
from typing import IO, Any, ClassVar

from django.core.files.base import File
from django.core.files.storage import Storage


class RemoteStream(io.RawIOBase):
    """A file read over the wire; ``size`` is set by the class of a server."""

    size: int

    def __init__(self, start: int) -> None:
        super().__init__()
        self._position = start

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True: reading from another position is a new request."""
        return True

    def tell(self) -> int:
        """Return the position of the next byte."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position; no request is made before the next read."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = base + offset
        return self._position


class RemoteFiles(Storage):
    """The first base of a storage of ``storages``: translates its errors, and gives its files no public address."""

    place: ClassVar[str]  # what people call it, as "bucket"

    def open_at(self, name: str, start: int) -> IO[bytes]:
        """Open a file for reading from byte ``start``; only the rest is transferred."""
        return File(self._stream(name, start), name)  # type: ignore[arg-type]

    def size(self, name: str) -> int:
        """Return the size of a file in bytes."""
        with self._translate_errors(name):
            return int(super().size(name))

    def get_modified_time(self, name: str) -> datetime:
        """Return when a file was written."""
        with self._translate_errors(name):
            written: datetime = super().get_modified_time(name)
            return written

    def url(self, name: str | None, *args: Any, **kwargs: Any) -> str:
        """Raise ValueError: files are served through the application, which checks permissions."""
        raise ValueError(f"A file in the {self.place} has no public address.")

    def _open(self, name: str, mode: str = "rb") -> IO[bytes]:
        if mode != "rb":
            raise ValueError(f"A file in the {self.place} can only be written as a whole: use save.")
        return self.open_at(name, 0)

    def _save(self, name: str, content: File[bytes]) -> str:
        with self._translate_errors(name):
            return str(super()._save(name, content))  # type: ignore[misc]  # Django's stubs leave it out

    def _stream(self, name: str, start: int) -> RemoteStream:
        """Return a stream of a file from byte ``start``."""
        raise NotImplementedError

    def _translate_errors(self, name: str) -> contextlib.AbstractContextManager[None]:
        """Raise FileNotFoundError or StorageUnreachable for the errors of the server's library in the block."""
        raise NotImplementedError
