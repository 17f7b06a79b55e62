"""Prepare an uploaded picture for print: upright, in sRGB on white, scaled once.

Both files that result are newly written: nothing but the pixels of the upload is kept.
"""

import contextlib
import io
import struct
import warnings
from dataclasses import dataclass, replace
from typing import IO

from django.core.exceptions import ValidationError
from django.core.files.base import File
from PIL import ExifTags, Image, ImageCms, ImageFile, UnidentifiedImageError

from documents.tasks.images import greys, samples

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "TIFF")
JPEG_FORMATS = frozenset({"JPEG", "MPO"})  # the second holds several, of which the first is kept
MAX_PIXELS = 40_000_000
PIXELS_ALLOWED = f"{MAX_PIXELS // 1_000_000} million"
# A progressive JPEG has several passes over all pixels; cameras and programs write about ten.
MAX_SCANS, START_OF_SCAN = 100, b"\xff\xda"
# Above one of these limits the work takes longer than a request should (docs/performance.md).
LARGE_PIXELS, LARGE_PIXELS_OF_A_JPEG, LARGE_BYTES = 8_000_000, 12_000_000, 8 * 1024**2
# A4 at 150 dots per inch: more only makes the file larger.
PRINT_SIZE_PIXELS = (1240, 1754)
THUMBNAIL_SIZE_PIXELS = (320, 320)
JPEG_QUALITY = 85
# Charts and drawings have few colours and must stay crisp; photographs have many.
MAX_COLOURS_OF_A_DRAWING = 4096
# The transposition that turns a picture upright, by its EXIF orientation.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
FIRST_SIDEWAYS = 5
PLAIN_MODES = frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "LAB"})
# The errors of Pillow for bytes that are no image, or half of one; found by trying such bytes.
DAMAGES = (
    *(OSError, SyntaxError, ValueError, EOFError, struct.error),
    *(TypeError, KeyError, IndexError, OverflowError, ZeroDivisionError, AttributeError),
)

type Upload = IO[bytes] | File[bytes]


@dataclass(frozen=True, kw_only=True)
class PreparedImage:
    """An image ready for print: the bytes of a JPEG or PNG file in sRGB, and those of a small one for lists.

    ``size`` is width and height in pixels; ``note`` tells its author how its values are printed.
    """

    content: bytes
    suffix: str
    size: tuple[int, int]
    thumbnail: bytes
    note: str = ""


def is_large(upload: Upload) -> bool:
    """Return True if preparing takes longer than a request should; reads no more than the header."""
    if (upload.size if isinstance(upload, File) else 0) > LARGE_BYTES:
        return True
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(upload, formats=FORMATS) as image:
            most = LARGE_PIXELS_OF_A_JPEG if image.format in JPEG_FORMATS else LARGE_PIXELS
            return most < image.width * image.height <= MAX_PIXELS
    except (*DAMAGES, Image.DecompressionBombError):
        return False  # it will be refused at once
    finally:
        upload.seek(0)


def prepare(upload: Upload) -> PreparedImage:
    """Return the image upright, in sRGB on white, and no larger than print needs.

    Only its first frame is kept and everything but the pixels is dropped. Raises ValidationError.
    """
    # WeasyPrint sets this to True for its whole process; then a truncated image would be accepted.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with warnings.catch_warnings(action="ignore"):  # about odd metadata, which is dropped anyway
            image, note = _read(upload)
            return replace(_encode(image), note=note)
    except ValidationError:
        raise
    except Image.DecompressionBombError as error:
        raise ValidationError(
            f"This image has too many pixels; at most {PIXELS_ALLOWED} are allowed."
        ) from error
    except DAMAGES as error:
        raise ValidationError(_explain(error, upload)) from error


def _explain(error: Exception, upload: Upload) -> str:
    """Return why Pillow could not read an upload, and what to send."""
    with contextlib.suppress(*DAMAGES), warnings.catch_warnings(action="ignore"):
        if problem := samples.describe_unreadable_tiff(upload):
            return problem
    if isinstance(error, UnidentifiedImageError):
        return "This is no image that can be read; send a JPEG, PNG, GIF, WebP or TIFF."
    return "This image is cut off or damaged; export it again and send that."


def _read(upload: Upload) -> tuple[Image.Image, str]:
    """Return an image upright and in sRGB, and a note about its values."""
    with Image.open(upload, formats=FORMATS) as original:
        _check_size(original)
        if original.format in JPEG_FORMATS:
            _check_scans(upload)
        samples.read_in_native_order(original)
        has_deep_colours = samples.has_deep_colours(original)
        # A large JPEG is decoded at a half, a quarter or an eighth of its size right away.
        original.draft(None, (max(PRINT_SIZE_PIXELS), max(PRINT_SIZE_PIXELS)))
        original.load()
        orientation, profile = _orientation(original), original.info.get("icc_profile")
        if has_deep_colours:
            greys.refuse_dark_colours(original)
        image, note = greys.to_8_bits(original) if greys.is_deep(original) else (_in_plain_mode(original), "")
    # Scale first: turning and converting need further copies of all pixels.
    box = PRINT_SIZE_PIXELS[::-1] if orientation >= FIRST_SIDEWAYS else PRINT_SIZE_PIXELS
    image.thumbnail(box, Image.Resampling.LANCZOS, reducing_gap=2.0)
    if orientation in TURNS:
        image = image.transpose(TURNS[orientation])
    return _in_srgb(_on_white(image), profile), note


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ValidationError(
            f"This image has {width:,} × {height:,} pixels; at most {PIXELS_ALLOWED} are allowed."
        )


def _check_scans(upload: Upload) -> None:
    """Refuse a JPEG with too many passes. In its data the two bytes have no other meaning."""
    position = upload.tell()
    upload.seek(0)
    scans = upload.read().count(START_OF_SCAN)
    upload.seek(position)
    if scans > MAX_SCANS:
        raise ValidationError(f"This JPEG has {scans:,} passes; at most {MAX_SCANS} are allowed.")


def _orientation(image: Image.Image) -> int:
    """Return 1 to 8 as a camera writes it; what cannot be read is upright, as for every other program."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except DAMAGES:
        return 1
    return orientation if orientation in TURNS else 1


def _in_plain_mode(image: Image.Image) -> Image.Image:
    """Return the pixels as 8-bit greys or colours, with their transparency if they have some."""
    if image.has_transparency_data:
        return image.convert("LA" if image.mode == "LA" else "RGBA")
    if image.mode in PLAIN_MODES:
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode not in {"LA", "RGBA"}:
        return image
    colours = image.convert(image.mode.removesuffix("A"))
    paper = Image.new(colours.mode, image.size, "white")
    paper.paste(colours, mask=image.getchannel("A"))
    return paper


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the colours as their profile means them; one that does not fit is ignored."""
    if image.mode == "LAB":
        return _converted(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    if not profile:
        return image.convert("RGB")
    try:
        return _converted(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (ImageCms.PyCMSError, *DAMAGES):
        return image.convert("RGB")


def _converted(image: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    target = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    assert converted is not None  # noqa: S101 (it is None for changes in place only)
    return converted


def _encode(image: Image.Image) -> PreparedImage:
    image.info.clear()  # Pillow writes the profile, comment and transparency that it finds there
    suffix = ".jpg" if image.getcolors(MAX_COLOURS_OF_A_DRAWING) is None else ".png"
    size, content = image.size, _file(image, suffix)
    if all(map(int.__le__, size, THUMBNAIL_SIZE_PIXELS)):
        return PreparedImage(content=content, suffix=suffix, size=size, thumbnail=content)
    image.thumbnail(THUMBNAIL_SIZE_PIXELS, Image.Resampling.LANCZOS)
    return PreparedImage(content=content, suffix=suffix, size=size, thumbnail=_file(image, suffix))


def _file(image: Image.Image, suffix: str) -> bytes:
    buffer = io.BytesIO()
    if suffix == ".jpg":
        image.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    else:
        image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
