"""Files in a bucket of Amazon S3 or of a server that speaks its protocol: the only file that knows boto3."""

import contextlib
from collections.abc import Iterator
from typing import Any, NoReturn

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError
from storages.backends.s3 import S3Storage
from storages.utils import clean_name
from urllib3.exceptions import HTTPError

from documents.infrastructure.remote_files import RemoteFiles, RemoteStream
from documents.infrastructure.storage import StorageUnreachable

# Requests for pages wait for the bucket, so a problem is reported soon.
CONNECT_SECONDS, READ_SECONDS, MAX_ATTEMPTS = 3, 20, 3
# A compatible server may have no regions, but signing a request needs a region's name.
DEFAULT_REGION = "us-east-1"
ACCESS_DENIED_CODES = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}
)


class BucketStorage(RemoteFiles, S3Storage):
    """One prefix of a bucket. Objects are private and only served through the application.

    No ACL is sent: objects are private by default, and new buckets, which have ACLs disabled, refuse requests
    with one.
    """

    place = "bucket"

    def __init__(self, **options: Any) -> None:
        if options.get("endpoint_url") and not options.get("region_name"):
            options["region_name"] = DEFAULT_REGION
        options |= {
            "client_config": _client_config(is_compatible=bool(options.get("endpoint_url"))),
            # More threads would double those of the web process, and workers fork.
            "transfer_config": TransferConfig(use_threads=False),
            "file_overwrite": True,  # every name is new: checking costs a request
        }
        super().__init__(**options)

    def get(self, name: str, start: int) -> dict[str, Any]:
        """Request an object from byte ``start``; raises FileNotFoundError, StorageUnreachable."""
        parameters = {"Bucket": self.bucket_name, "Key": self._normalize_name(clean_name(name))}
        with self._translate_errors(name):
            if start:
                parameters["Range"] = f"bytes={start}-"
            response: dict[str, Any] = self.connection.meta.client.get_object(**parameters)
            return response

    def delete(self, name: str) -> None:
        """Delete a file, if it exists; raises StorageUnreachable."""
        with self._translate_errors(name):
            super().delete(name)

    def exists(self, name: str) -> bool:
        """Return True if a file exists; raises StorageUnreachable."""
        try:
            with self._translate_errors(name):
                key = self._normalize_name(clean_name(name))
                self.connection.meta.client.head_object(Bucket=self.bucket_name, Key=key)
        except FileNotFoundError:
            return False
        return True

    def listdir(self, name: str) -> tuple[list[str], list[str]]:
        """Return the folders and files at a name."""
        with self._translate_errors(name):
            folders, files = super().listdir(name)
            return folders, files

    def _stream(self, name: str, start: int) -> "ObjectStream":
        return ObjectStream(self, name, start)

    @contextlib.contextmanager
    def _translate_errors(self, name: str) -> Iterator[None]:
        """Raise FileNotFoundError or StorageUnreachable for the errors of boto3."""
        try:
            yield
        except ClientError as error:
            self._raise_refused(name, error)
        except NoCredentialsError as error:
            raise StorageUnreachable(
                "There are no credentials for the bucket of the files: set AWS_ACCESS_KEY_ID and"
                " AWS_SECRET_ACCESS_KEY."
            ) from error
        except (BotoCoreError, Boto3Error, HTTPClientError, HTTPError) as error:
            raise self._unreachable(error) from error

    def _raise_refused(self, name: str, error: ClientError) -> NoReturn:
        status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
        code = error.response["Error"].get("Code", "")
        if code == "404":  # the response to HEAD has no body that names what is missing
            with self._translate_errors(name):
                self.connection.meta.client.list_objects_v2(Bucket=self.bucket_name, MaxKeys=1)
        if code in {"404", "NoSuchKey"}:
            raise FileNotFoundError(f"There is no {name} in the bucket {self.bucket_name}.") from error
        if code == "NoSuchBucket":
            reason = "does not exist: create it, or correct SPMS_FILE_STORAGE"
        elif status == 403 or code in ACCESS_DENIED_CODES:
            reason = f"denies access ({code}): check AWS_ACCESS_KEY_ID and its permissions"
        else:
            reason = f"answered with an error ({code}, {status})"
        raise StorageUnreachable(f"The bucket {self.bucket_name} of the files {reason}.") from error

    def _unreachable(self, error: Exception) -> StorageUnreachable:
        where = self.endpoint_url or "Amazon S3"
        return StorageUnreachable(
            f"The bucket {self.bucket_name} of the files cannot be reached at {where} ({type(error).__name__})."
        )


class ObjectStream(RemoteStream):
    """An object read over the wire: nothing is buffered, and closing it ends the connection."""

    def __init__(self, bucket: BucketStorage, name: str, start: int) -> None:
        super().__init__(start)
        self._bucket, self._name = bucket, name
        self._response_position = start
        self._response: dict[str, Any] | None = None  # first: close() runs after a failed get, too
        self._response = bucket.get(name, start)
        self.size = start + int(self._response["ContentLength"])

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes; raises StorageUnreachable when the connection breaks."""
        if self._position >= self.size:
            return 0
        with self._bucket._translate_errors(self._name):
            data: bytes = self._body()["Body"].read(len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        self._response_position = self._position
        return len(data)

    def close(self) -> None:
        """End the connection."""
        self._close_response()
        super().close()

    def _body(self) -> dict[str, Any]:
        """Return the response that continues at the present position."""
        if self._response is None or self._response_position != self._position:
            self._close_response()
            self._response, self._response_position = (
                self._bucket.get(self._name, self._position),
                self._position,
            )
        return self._response

    def _close_response(self) -> None:
        if self._response is not None:
            self._response["Body"].close()
            self._response = None


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
        retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
        max_pool_connections=32,
        **(compatible if is_compatible else {}),
    )
