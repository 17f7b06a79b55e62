"""Restrict what a document may fetch during layout: its own images, and small ones in ``data:`` addresses."""

import io
import struct
from pathlib import Path
from urllib.parse import urljoin

from PIL import Image, ImageFile
from weasyprint.urls import URLFetcher, URLFetcherResponse

from documents.rendering.protocol import BASE_URL

FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
MAX_DATA_URI_CHARACTERS = 2_000_000
# Of one image in a data: address, and of all in one render: a few hundred kilobytes may unpack to any size.
MAX_PIXELS, MAX_PIXELS_TOGETHER, MAX_DATA_IMAGES = 40_000_000, 100_000_000, 500
# A progressive JPEG has several passes over all pixels; cameras and programs write about ten.
MAX_SCANS, START_OF_SCAN = 100, b"\xff\xda"
UPLOAD_INSTEAD = "upload it instead of putting it into the text"


class RefusedAddress(ValueError):
    """Raised for an address that a document may not fetch."""


class AllowListFetcher(URLFetcher):  # type: ignore[misc]
    """Fetches only the listed addresses, from local files, and ``data:`` addresses."""

    def __init__(self) -> None:
        super().__init__(allowed_protocols={"data"}, allow_redirects=False)
        self._paths: dict[str, Path] = {}
        self._data_images = self._data_pixels = 0

    def allow(self, images: dict[str, str]) -> None:
        """Begin a render with a new list (address → path); those without a scheme are relative to the base."""
        self._data_images = self._data_pixels = 0
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
            raise RefusedAddress(f"this image in the text is too large; {UPLOAD_INSTEAD}")
        content = super().fetch(url, headers).read()
        media_type, pixels = _examine(content)
        self._spend(pixels)
        _require_printable(content)
        return URLFetcherResponse(url[:40], content, {"Content-Type": media_type})

    def _spend(self, pixels: int) -> None:
        """Count an image against what one render may draw. Raises RefusedAddress."""
        if pixels > MAX_PIXELS:
            raise RefusedAddress(f"this image has too many pixels; {UPLOAD_INSTEAD}")
        if self._data_images >= MAX_DATA_IMAGES or self._data_pixels + pixels > MAX_PIXELS_TOGETHER:
            raise RefusedAddress(
                f"the images in the text are too many or too large together; {UPLOAD_INSTEAD}"
            )
        self._data_images += 1
        self._data_pixels += pixels


def _examine(content: bytes) -> tuple[str, int]:
    """Return media type and number of pixels of a raster image, from its bytes. Raises RefusedAddress."""
    if content.count(START_OF_SCAN) > MAX_SCANS:
        raise RefusedAddress(f"this image has too many passes; {UPLOAD_INSTEAD}")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            return f"image/{(image.format or '').lower()}", image.width * image.height
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise RefusedAddress("this is no raster image") from error


def _require_printable(content: bytes) -> None:
    """Decode an image once. Raises RefusedAddress for one that would be printed half, or black."""
    lenient, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            image.load()
            has_deep_greys = image.mode.startswith(("I", "F"))
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error) as error:
        raise RefusedAddress("this image in the text is cut off or damaged; export it again") from error
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = lenient
    if has_deep_greys:
        raise RefusedAddress(f"this image in the text has greys of 16 bits; {UPLOAD_INSTEAD}")
