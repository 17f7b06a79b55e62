"""Files in a container of Azure Blob Storage: the only file that knows Azure's packages (requirements/azure.txt)."""

import contextlib
import io
from collections.abc import Iterator
from typing import Any, NoReturn

from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.blob import BlobPrefix, BlobServiceClient, StorageStreamDownloader
from storages.backends.azure_storage import AzureStorage

from documents.infrastructure.remote_files import RemoteFiles, RemoteStream
from documents.infrastructure.storage import StorageUnreachable

# Requests for pages wait for the container, so a problem is reported soon.
CONNECT_SECONDS, READ_SECONDS, RETRIES = 3, 20, 2
CHUNK_BYTES = 1024**2  # what a download holds in memory


class ContainerStorage(RemoteFiles, AzureStorage):
    """One prefix of a container. Blobs are only served through the application."""

    place = "container"

    def __init__(self, **options: Any) -> None:
        # Every name is new: checking costs a request. More threads would double those of the web process.
        super().__init__(**options, overwrite_files=True, upload_max_conn=1)

    def download(self, name: str, start: int) -> StorageStreamDownloader[bytes]:
        """Begin to read a blob from byte ``start``; raises FileNotFoundError, StorageUnreachable."""
        with self._translate_errors(name):
            stream: StorageStreamDownloader[bytes] = self.client.download_blob(
                self._get_valid_path(name), offset=start
            )
            return stream

    def delete(self, name: str) -> None:
        """Delete a file, if it exists; raises StorageUnreachable."""
        with contextlib.suppress(FileNotFoundError), self._translate_errors(name):
            self.client.delete_blob(self._get_valid_path(name))

    def exists(self, name: str) -> bool:
        """Return True if a file exists; raises StorageUnreachable."""
        try:
            self.size(name)
        except FileNotFoundError:
            return False
        return True

    def listdir(self, name: str = "") -> tuple[list[str], list[str]]:
        """Return the folders and files at a name."""
        prefix = f"{self._get_valid_path(name) if name or self.location else ''}/".lstrip("/")
        folders: list[str] = []
        files: list[str] = []
        with self._translate_errors(name):
            for entry in self.client.walk_blobs(name_starts_with=prefix, delimiter="/"):
                is_folder = isinstance(entry, BlobPrefix)
                (folders if is_folder else files).append(entry.name.removeprefix(prefix).rstrip("/"))
        return folders, files

    def _get_service_client(self) -> BlobServiceClient:
        return BlobServiceClient.from_connection_string(
            self.connection_string,
            connection_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retry_total=RETRIES,
            max_single_get_size=CHUNK_BYTES,
            max_chunk_get_size=CHUNK_BYTES,
        )

    def _stream(self, name: str, start: int) -> "BlobStream":
        return BlobStream(self, name, start)

    @contextlib.contextmanager
    def _translate_errors(self, name: str) -> Iterator[None]:
        """Raise FileNotFoundError or StorageUnreachable for the errors of Azure's packages."""
        try:
            yield
        except HttpResponseError as error:
            self._raise_refused(name, error)
        except AzureError as error:
            raise StorageUnreachable(
                f"The container {self.azure_container} of the files cannot be reached ({type(error).__name__})."
            ) from error

    def _raise_refused(self, name: str, error: HttpResponseError) -> NoReturn:
        code = str(getattr(error, "error_code", "") or error.status_code)
        if code == "BlobNotFound":
            raise FileNotFoundError(f"There is no {name} in the container {self.azure_container}.") from error
        if code == "ContainerNotFound":
            reason = "does not exist: create it, or correct SPMS_FILE_STORAGE"
        elif error.status_code in {401, 403}:
            reason = f"denies access ({code}): check AZURE_STORAGE_CONNECTION_STRING"
        else:
            reason = f"answered with an error ({code})"
        raise StorageUnreachable(f"The container {self.azure_container} of the files {reason}.") from error


class BlobStream(RemoteStream):
    """A blob read over the wire, at most CHUNK_BYTES at a time."""

    def __init__(self, container: ContainerStorage, name: str, start: int) -> None:
        super().__init__(start)
        self._container, self._name = container, name
        self.size = container.size(name)
        self._download: StorageStreamDownloader[bytes] | None = None

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position; no request is made before the next read."""
        before = self._position
        if super().seek(offset, whence) != before:
            self._download = None
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes; raises StorageUnreachable when the connection breaks."""
        if self._position >= self.size:
            return 0
        if self._download is None:
            self._download = self._container.download(self._name, self._position)
        with self._container._translate_errors(self._name):
            data: bytes = self._download.read(len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
