"""Static files with names that say their content, and our own ones compressed beside them."""

from collections.abc import Iterable, Iterator

from whitenoise.storage import CompressedManifestStaticFilesStorage

OWN = "spms/"


class OwnFilesCompressed(CompressedManifestStaticFilesStorage):
    """Compresses what our pages load.

    The admin's and the API documentation's files are 24 MB: compressing them takes half a minute at each
    installation, for pages that few people open.
    """

    def compress_files(self, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Return the names of our own files with those of their compressed copies."""
        yield from super().compress_files([path for path in paths if path.startswith(OWN)])
