"""Files in a bucket of Amazon S3 or of a server that speaks its protocol: the only file that knows boto3."""

import contextlib
import io
from collections.abc import Iterator
from datetime import datetime
from typing import IO, Any, NoReturn

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError
from django.core.files.base import File
from storages.backends.s3 import S3Storage
from storages.utils import clean_name
from urllib3.exceptions import HTTPError

from documents.infrastructure.storage import StorageUnreachable

# A request for a page waits for these answers: better a plain problem soon than a late one.
CONNECT_SECONDS, READ_SECONDS, TRIES = 3, 20, 3
# A compatible server may have no regions, but a request cannot be signed without the name of one.
DEFAULT_REGION = "us-east-1"
DISABLED_HOSTS = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"})


class BucketStorage(S3Storage):
    """One prefix of a bucket. Objects are private: they are only ever served through the application.

    No ACL is sent: an object is its owner's alone unless something says otherwise, and buckets in which ACLs
    are switched off, which is how they are made now, refuse requests that have one.
    """

    def __init__(self, **options: Any) -> None:
        if options.get("endpoint_url") and not options.get("region_name"):
            options["region_name"] = DEFAULT_REGION
        options |= {
            "client_config": _client_config(is_compatible=bool(options.get("endpoint_url"))),
            # Threads of its own would double those of the web process, and workers fork.
            "transfer_config": TransferConfig(use_threads=False),
            "file_overwrite": True,  # every name is new: asking whether it is taken costs a request
        }
        super().__init__(**options)

    def open_at(self, name: str, start: int) -> IO[bytes]:
        """Open a file from byte ``start`` on; what is before is not sent."""
        return File(ObjectStream(self, name, start), name)  # type: ignore[arg-type]

    def get(self, name: str, start: int) -> dict[str, Any]:
        """Ask for an object from byte ``start`` on; raises FileNotFoundError, Unreachable."""
        wanted = {"Bucket": self.bucket_name, "Key": self._normalize_name(clean_name(name))}
        with self._plain(name):
            if start:
                wanted["Range"] = f"bytes={start}-"
            answer: dict[str, Any] = self.connection.meta.client.get_object(**wanted)
            return answer

    def delete(self, name: str) -> None:
        """Delete a file; one that is gone already is fine."""
        with self._plain(name):
            super().delete(name)

    def exists(self, name: str) -> bool:
        """Say whether a file is there."""
        try:
            with self._plain(name):
                wanted = {"Bucket": self.bucket_name, "Key": self._normalize_name(clean_name(name))}
                self.connection.meta.client.head_object(**wanted)
        except FileNotFoundError:
            return False
        return True

    def listdir(self, name: str) -> tuple[list[str], list[str]]:
        """Return the folders and files at a name."""
        with self._plain(name):
            folders, files = super().listdir(name)
            return folders, files

    def size(self, name: str) -> int:
        """Return the bytes of a file."""
        with self._plain(name):
            return int(super().size(name))

    def get_modified_time(self, name: str) -> datetime:
        """Return when a file was written."""
        with self._plain(name):
            written: datetime = super().get_modified_time(name)
            return written

    def url(self, name: str, *args: Any, **kwargs: Any) -> str:
        """Refuse: files are served through the application, which asks who may read them."""
        raise ValueError("A file in the bucket has no public address.")

    def _open(self, name: str, mode: str = "rb") -> IO[bytes]:
        if mode != "rb":
            raise ValueError("A file in the bucket is only ever written whole: use save.")
        return self.open_at(name, 0)

    def _save(self, name: str, content: File[bytes]) -> str:
        with self._plain(name):
            return str(super()._save(name, content))

    @contextlib.contextmanager
    def _plain(self, name: str) -> Iterator[None]:
        """Turn what boto3 raises into the system's errors, in plain words."""
        try:
            yield
        except ClientError as error:
            self._refused(name, error)
        except NoCredentialsError as error:
            raise StorageUnreachable(
                "There are no credentials for the bucket of the files: set AWS_ACCESS_KEY_ID and"
                " AWS_SECRET_ACCESS_KEY."
            ) from error
        except (BotoCoreError, Boto3Error, HTTPClientError, HTTPError) as error:
            raise self._away(error) from error

    def _refused(self, name: str, error: ClientError) -> NoReturn:
        status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
        code = error.response["Error"].get("Code", "")
        if code == "404":  # the answer to HEAD has no body to say what is missing
            with self._plain(name):
                self.connection.meta.client.list_objects_v2(Bucket=self.bucket_name, MaxKeys=1)
        if code in {"404", "NoSuchKey"}:
            raise FileNotFoundError(f"There is no {name} in the bucket {self.bucket_name}.") from error
        if code == "NoSuchBucket":
            reason = "does not exist: make it, or correct SPMS_FILE_STORAGE"
        elif status == 403 or code in DISABLED_HOSTS:
            reason = f"refuses access ({code}): check AWS_ACCESS_KEY_ID and the rights it has"
        else:
            reason = f"answered with an error ({code}, {status})"
        raise StorageUnreachable(f"The bucket {self.bucket_name} of the files {reason}.") from error

    def _away(self, error: Exception) -> StorageUnreachable:
        where = self.endpoint_url or "Amazon S3"
        return StorageUnreachable(
            f"The bucket {self.bucket_name} of the files cannot be reached at {where} ({type(error).__name__})."
        )


class ObjectStream(io.RawIOBase):
    """An object as it comes over the wire: nothing of it is kept, and the connection ends when it is closed."""

    def __init__(self, bucket: S3Storage, name: str, start: int) -> None:
        super().__init__()
        self._bucket, self._name = bucket, name
        self._position = self._comes_from = start
        self._answer: dict[str, Any] | None = None  # first: an open that fails is closed as well
        self._answer = bucket.get(name, start)
        self.size = start + int(self._answer["ContentLength"])

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read from elsewhere: that is a new request."""
        return True

    def tell(self) -> int:
        """Return where the next byte comes from."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go elsewhere; nothing is asked before it is read: who looks for the size comes back."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes; raises Unreachable when the connection breaks."""
        if self._position >= self.size:
            return 0
        with self._bucket._plain(self._name):
            data: bytes = self._body()["Body"].read(len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        self._comes_from = self._position
        return len(data)

    def close(self) -> None:
        """End the connection."""
        self._end_answer()
        super().close()

    def _body(self) -> dict[str, Any]:
        """Return the answer that goes on at the present position."""
        if self._answer is None or self._comes_from != self._position:
            self._end_answer()
            self._answer, self._comes_from = self._bucket.get(self._name, self._position), self._position
        return self._answer

    def _end_answer(self) -> None:
        if self._answer is not None:
            self._answer["Body"].close()
            self._answer = None


def _client_config(*, is_compatible: bool) -> Config:
    # Not every compatible server knows bucket names as host names, or the newer checksums.
    compatible: dict[str, Any] = {
        "s3": {"addressing_style": "path"},
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
    }
    return Config(
        signature_version="s3v4",
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": TRIES},
        max_pool_connections=32,
        **(compatible if is_compatible else {}),
    )
