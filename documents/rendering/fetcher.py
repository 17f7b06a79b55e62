"""Restrict what a document may fetch during layout: its own images, and small ones in ``data:`` addresses."""

import io
from pathlib import Path
from urllib.parse import urljoin

from PIL import Image
from weasyprint.urls import URLFetcher, URLFetcherResponse

from documents.rendering.protocol import BASE_URL

FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
MAX_DATA_URI_CHARACTERS = 2_000_000
MAX_PIXELS = 40_000_000


class RefusedAddress(ValueError):
    """Raised for an address that a document may not fetch."""


class AllowListFetcher(URLFetcher):  # type: ignore[misc]
    """Fetches only the listed addresses, from local files, and ``data:`` addresses."""

    def __init__(self) -> None:
        super().__init__(allowed_protocols={"data"}, allow_redirects=False)
        self._paths: dict[str, Path] = {}

    def allow(self, images: dict[str, str]) -> None:
        """Replace the list (address → path); addresses without a scheme are relative to the document's base."""
        self._paths = {urljoin(BASE_URL, url): Path(path) for url, path in images.items()}

    def fetch(self, url: str, headers: dict[str, str] | None = None) -> URLFetcherResponse:
        """Return the file of an allowed address. Raises RefusedAddress for any other, and OSError."""
        if url.startswith("data:"):
            return self._from_data_uri(url, headers)
        if (path := self._paths.get(url)) is None:
            raise RefusedAddress("this address is not one of the document's own images")
        # From a file address WeasyPrint reads the image when it draws it, instead of keeping it in memory.
        return URLFetcherResponse(path.as_uri(), path.open("rb"))

    def _from_data_uri(self, url: str, headers: dict[str, str] | None) -> URLFetcherResponse:
        if len(url) > MAX_DATA_URI_CHARACTERS:
            raise RefusedAddress("this image in the text is too large; upload it instead")
        content = super().fetch(url, headers).read()
        return URLFetcherResponse(url[:40], content, {"Content-Type": _raster_type(content)})


def _raster_type(content: bytes) -> str:
    """Return the media type of a raster image, detected from its bytes. Raises RefusedAddress for other content."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height <= MAX_PIXELS:
                return f"image/{(image.format or '').lower()}"
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise RefusedAddress("this is no raster image") from error
    raise RefusedAddress("this image has too many pixels")
