"""Static files with content hashes in their names; our own are compressed as well."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from whitenoise.storage import CompressedManifestStaticFilesStorage

OWN = "spms/"


class OwnFilesCompressed(CompressedManifestStaticFilesStorage):
    """Compresses the files of our own pages.

    The admin's and the API documentation's files are 24 MB: compressing them takes half a minute at each
    installation, for pages that few people use.
    """

    def compress_files(self, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Return the names of our own files with those of their compressed copies."""
        for path, compressed in super().compress_files([path for path in paths if path.startswith(OWN)]):
            Path(self.path(compressed)).chmod(self.file_permissions_mode)
            yield path, compressed
