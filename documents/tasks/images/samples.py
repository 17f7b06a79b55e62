"""What the numbers in an image mean: their size, their sign, which value is black, and which values are missing.

Pillow reads most of the TIFF files that instruments and maps come in; this module adds the layouts that it has the
decoders for but does not list, and says of the others what to send instead.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import IO, Any

from PIL import Image, ImageFile, TiffImagePlugin
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    COMPRESSION,
    COMPRESSION_INFO,
    PHOTOMETRIC_INTERPRETATION,
    SAMPLEFORMAT,
    SAMPLESPERPIXEL,
)

WHITE_IS_ZERO, BLACK_IS_ZERO = 0, 1
NODATA_TAG = 42_113  # of GDAL: a number as text
TIFF_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
BIG_TIFF_BYTE, BIG_TIFF_HEADER_BYTES, HEADER_BYTES = 43, 16, 8
MAX_SAMPLES = 4
SEND_INSTEAD = "Export it as an 8-bit or 16-bit TIFF or PNG and send that."


class SampleKind(IntEnum):
    """What a number is, by the tag SampleFormat of TIFF."""

    UNSIGNED = 1
    SIGNED = 2
    FLOAT = 3


READABLE_BITS = {
    SampleKind.UNSIGNED: (1, 2, 4, 8, 12, 16, 32),
    SampleKind.SIGNED: (8, 16, 32),
    SampleKind.FLOAT: (32, 64),
}
NAMES = {
    SampleKind.UNSIGNED: "unsigned integers",
    SampleKind.SIGNED: "signed integers",
    SampleKind.FLOAT: "floating-point numbers",
}
# Pillow's name of a layout, little-endian and big-endian.
LAYOUTS = {
    (SampleKind.UNSIGNED, 16): (("I;16", "I;16"), ("I;16B", "I;16B")),
    (SampleKind.UNSIGNED, 32): (("I", "I;32"), ("I", "I;32B")),
    (SampleKind.SIGNED, 8): (("L", "L"), ("L", "L")),
    (SampleKind.SIGNED, 16): (("I", "I;16S"), ("I", "I;16BS")),
    (SampleKind.SIGNED, 32): (("I", "I;32S"), ("I", "I;32BS")),
    (SampleKind.FLOAT, 32): (("F", "F;32F"), ("F", "F;32BF")),
    (SampleKind.FLOAT, 64): (("F", "F;64F"), ("F", "F;64BF")),
}
# libtiff hands all numbers over in the order of this machine.
NATIVE_LAYOUTS = {
    "I;32B": "I;32N",
    "I;32": "I;32N",
    "I;16BS": "I;16NS",
    "I;32BS": "I;32NS",
    "F;32BF": "F;32NF",
    "F;64BF": "F;64NF",
}

# Pillow's own reader takes each byte of 16-bit colours in separate planes for a pixel.
TiffImagePlugin.READ_LIBTIFF = True
for (_kind, _bits), _layouts in LAYOUTS.items():
    for _order, _layout in zip((b"II", b"MM"), _layouts, strict=True):
        for _photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO):
            TiffImagePlugin.OPEN_INFO[_order, _photometric, (_kind,), 1, (_bits,), ()] = _layout


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The numbers of a grey image; ``missing_value`` stands where nothing was measured."""

    kind: SampleKind = SampleKind.UNSIGNED
    bits: int = 16
    is_white_zero: bool = False
    missing_value: float | None = None


def samples_of(image: Image.Image) -> Samples:
    """Return what the numbers of a grey image mean."""
    tags = getattr(image, "tag_v2", None)
    if tags is None:
        transparent = image.info.get("transparency")
        return Samples(missing_value=transparent if isinstance(transparent, int) else None)
    return Samples(
        kind=SampleKind(_first(tags, SAMPLEFORMAT, 1)),
        bits=_first(tags, BITSPERSAMPLE, 1),
        is_white_zero=tags.get(PHOTOMETRIC_INTERPRETATION) == WHITE_IS_ZERO,
        missing_value=_number(tags.get(NODATA_TAG)),
    )


def has_signed_bytes(image: Image.Image) -> bool:
    """Return True if the bytes of an image are signed, which Pillow does not tell."""
    return image.mode == "L" and _first(getattr(image, "tag_v2", {}), SAMPLEFORMAT, 1) == SampleKind.SIGNED


def has_deep_colours(image: Image.Image) -> bool:
    """Return True if the colours of an image that is not loaded have 16 bits, of which Pillow reads the upper 8."""
    return image.mode not in {"I;16", "I;16B", "I", "F"} and any(
        ";16" in str(tile.args) for tile in getattr(image, "tile", ())
    )


def read_in_native_order(image: Image.Image) -> None:
    """Correct the layout of a TIFF: Pillow swaps the bytes of what libtiff has swapped already."""
    if isinstance(image, ImageFile.ImageFile):
        image.tile = [
            tile._replace(args=(NATIVE_LAYOUTS.get(tile.args[0], tile.args[0]), *tile.args[1:]))
            if tile.codec_name == "libtiff" and isinstance(tile.args, tuple)
            else tile
            for tile in image.tile
        ]


def describe_unreadable_tiff(stream: IO[bytes]) -> str:
    """Return what to send in place of a TIFF whose layout cannot be read; empty for any other file."""
    stream.seek(0)
    header = stream.read(HEADER_BYTES)
    if not header.startswith(TIFF_MAGICS):
        return ""
    if BIG_TIFF_BYTE in header[2:4]:
        header += stream.read(BIG_TIFF_HEADER_BYTES - HEADER_BYTES)
    tags = TiffImagePlugin.ImageFileDirectory_v2(header)
    stream.seek(tags.next)
    tags.load(stream)
    return _problem_of(tags)


def _problem_of(tags: TiffImagePlugin.ImageFileDirectory_v2) -> str:
    if tags.get(COMPRESSION, 1) not in COMPRESSION_INFO:
        return f"This TIFF is compressed in a way that cannot be read. {SEND_INSTEAD}"
    count, bits = tags.get(SAMPLESPERPIXEL, 1), _first(tags, BITSPERSAMPLE, 1)
    if count > MAX_SAMPLES:
        return f"This TIFF has {count:,} bands; a picture has at most {MAX_SAMPLES}. {SEND_INSTEAD}"
    try:
        kind = SampleKind(_first(tags, SAMPLEFORMAT, 1))
    except ValueError:
        return f"This TIFF has values that are no plain numbers. {SEND_INSTEAD}"
    if bits not in READABLE_BITS[kind] or (count > 1 and (kind, bits) not in {(1, 8), (1, 16)}):
        where = f" in each of {count} bands" if count > 1 else ""
        return f"This TIFF has {NAMES[kind]} of {bits} bits{where}, which cannot be read. {SEND_INSTEAD}"
    return ""


def _first(tags: Any, tag: int, default: int) -> int:
    value = tags.get(tag, default)
    return int(value[0] if isinstance(value, tuple) else value)


def _number(text: object) -> float | None:
    try:
        return float(str(text).strip(" \0")) if text is not None else None
    except ValueError:
        return None
