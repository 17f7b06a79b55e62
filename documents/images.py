"""Images that people send: checked, turned upright and scaled once, at upload, to what print needs."""

import contextlib
import hashlib
import io
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from PIL import Image, ImageCms, ImageFile, ImageOps, UnidentifiedImageError

from documents import store
from documents.models import Document, DocumentImage, image_path

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "TIFF")
MAX_PIXELS = 40_000_000
PIXELS_ALLOWED = f"{MAX_PIXELS // 1_000_000} million"
# A4 at 150 dots an inch: more only makes the file larger (DESIGN section 5).
PRINT_SIZE_PIXELS = (1240, 1754)
JPEG_QUALITY = 85
# Charts and drawings have few colours and want to stay crisp; photographs have many.
MAX_COLOURS_OF_A_DRAWING = 4096


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """An image ready for print: the bytes of a JPEG or PNG file in sRGB."""

    content: bytes
    suffix: str
    size: tuple[int, int]


def attach(document: Document, upload: File, *, caption: str = "") -> DocumentImage:  # type: ignore[type-arg]
    """Prepare an uploaded image and keep it with its document; raises ValidationError for a bad one."""
    prepared = prepare(upload)
    digest = hashlib.sha256(prepared.content).hexdigest()
    width, height = prepared.size
    image = DocumentImage(document=document, caption=caption, digest=digest, width=width, height=height)
    name = f"image{prepared.suffix}"
    with store.plain_errors():
        try:
            image.file.save(name, ContentFile(prepared.content), save=False)
        except OSError:
            with contextlib.suppress(OSError):
                image.file.storage.delete(image_path(image, name))  # the part of it that found room
            raise
    image.save()
    return image


def local_path(name: str, folder: Path) -> Path:
    """Return where a process on this machine can read an image; what is in a bucket is copied to ``folder``.

    There is nothing at that path when the image is gone.
    """
    with store.plain_errors():
        with contextlib.suppress(NotImplementedError):
            return Path(default_storage.path(name))
        copy = folder / PurePosixPath(name).name
        with (
            contextlib.suppress(FileNotFoundError),
            default_storage.open(name) as source,
            copy.open("wb") as target,
        ):
            shutil.copyfileobj(source, target)
        return copy


def prepare(upload: IO[bytes] | File) -> Prepared:  # type: ignore[type-arg]
    """Return the image upright, in sRGB on white, and no larger than print needs.

    Only its first frame is kept and everything but the pixels is dropped. Raises ValidationError.
    """
    # WeasyPrint sets this to True for its whole process, so that half an image passes for one.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, which is dropped anyway
            return _encode(_read(upload))
    except ValidationError:
        raise
    except UnidentifiedImageError as error:
        raise ValidationError(
            "This is no image that can be read; send a JPEG, PNG, GIF, WebP or TIFF."
        ) from error
    except Image.DecompressionBombError as error:
        raise ValidationError(
            f"This image has too many pixels; at most {PIXELS_ALLOWED} are allowed."
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ValidationError("This image is cut off or damaged; export it again and send that.") from error


def _read(upload: IO[bytes] | File) -> Image.Image:  # type: ignore[type-arg]
    with Image.open(upload, formats=FORMATS) as original:
        _check_size(original)
        # A large JPEG is decoded at a half, a quarter or an eighth of its size right away.
        original.draft(None, (max(PRINT_SIZE_PIXELS), max(PRINT_SIZE_PIXELS)))
        upright = _to_rgb(ImageOps.exif_transpose(original))
    upright.thumbnail(PRINT_SIZE_PIXELS, Image.Resampling.LANCZOS, reducing_gap=2.0)
    return upright


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ValidationError(
            f"This image has {width:,} × {height:,} pixels; at most {PIXELS_ALLOWED} are allowed."
        )


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of grey
        image = image.convert("I").point(lambda grey: grey / 256).convert("L")
    if image.has_transparency_data:
        colours = image.convert("RGBA")
        image = Image.new("RGB", image.size, "white")
        image.paste(colours, mask=colours.getchannel("A"))
        return image
    return _apply_profile(image).convert("RGB")


def _apply_profile(image: Image.Image) -> Image.Image:
    if not (profile := image.info.get("icc_profile")):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return image
    return converted or image


def _encode(image: Image.Image) -> Prepared:
    buffer = io.BytesIO()
    if image.getcolors(MAX_COLOURS_OF_A_DRAWING) is None:
        image.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
        return Prepared(content=buffer.getvalue(), suffix=".jpg", size=image.size)
    image.save(buffer, "PNG", optimize=True)
    return Prepared(content=buffer.getvalue(), suffix=".png", size=image.size)
