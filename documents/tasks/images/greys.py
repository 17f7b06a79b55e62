"""Print greys of more than 8 bits, and measurements of any range, as 8-bit greys.

A picture whose values use its range is printed as it is. Other values, such as heights, NDVI from -1 to 1, or the
12 bits of a camera in 16, are stretched from black to white, and a note says from which value to which.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.template.defaultfilters import pluralize
from PIL import Image, ImageMath

from documents.tasks.images import samples
from documents.tasks.images.samples import SampleKind, Samples

WHITE, GREY, DIGITAL_BITS = 255, 128, 16
# Values that maps use for "nothing was measured here" without declaring it, and numbers that mean the same.
USUAL_MISSING_VALUES = (-9999.0, -32768.0, -99999.0)
LARGEST_MEASUREMENT = 1e38
SIGN_BITS = {8: 0x80, 32: -(1 << 31)}
NOTHING_MEASURED = "This image has no values that can be printed: no pixel holds a number. Export it again."
TOO_DARK = (
    "The colours of this image use only the lowest of their 16 bits and would be black."
    " Scale them to 8 bits a channel and send that."
)
MAX_DARK_LEVEL = 63  # of 255: 14 bits of 16, as raw files of cameras have them


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The values that are printed black and white; ``is_whole_range`` if a file can hold no others."""

    black: float
    white: float
    is_whole_range: bool = False


def is_deep(image: Image.Image) -> bool:
    """Return True if the pixels of an image are numbers that do not fit into 8 bits without being scaled."""
    return image.mode[0] in "IF" or samples.has_signed_bytes(image)


def refuse_dark_colours(image: Image.Image) -> None:
    """Refuse an image with colours of 16 bits that hold 14 bits or fewer. Raises ValidationError."""
    bands = image.getextrema()
    largest = max(high for _, high in bands[:3]) if isinstance(bands[0], tuple) else bands[1]
    if 0 < largest <= MAX_DARK_LEVEL:
        raise ValidationError(TOO_DARK)


def to_8_bits(image: Image.Image) -> tuple[Image.Image, str]:
    """Return an image of mode L, white where a value is missing, and a note if its values were stretched.

    Raises ValidationError for an image without any value.
    """
    meaning = samples.samples_of(image)
    values, shift = _in_order(image, meaning)
    missing = _missing(values, meaning, shift)
    if missing is not None:
        values = _filled(values, missing)
    low, high = _extrema(values)
    if missing is None and (value := _usual_missing_value(low, meaning)) is not None:
        values, missing, (low, high) = _without(values, value, (low, high))
    scale = _scale(low, high, meaning)
    grey = _stretched(values, scale, is_inverted=meaning.is_white_zero)
    if missing is not None:
        grey.paste(WHITE, mask=missing)
    return grey, _note(scale, missing, shift, is_inverted=meaning.is_white_zero)


def _in_order(image: Image.Image, meaning: Samples) -> tuple[Image.Image, int]:
    """Return the pixels as signed integers or floats, and what to add to each to have its value."""
    if image.mode == "L":  # signed bytes, which Pillow takes for unsigned ones
        return image.point([value ^ SIGN_BITS[8] for value in range(256)]).convert("I"), -SIGN_BITS[8]
    if image.mode == "F":
        return image, 0
    values = image.convert("I")
    if (meaning.kind, meaning.bits) == (SampleKind.UNSIGNED, 32):
        return _calculated(lambda value: value ^ SIGN_BITS[32], values), -SIGN_BITS[32]
    return values, 0


def _missing(values: Image.Image, meaning: Samples, shift: int) -> Image.Image | None:
    """Return a mask of the pixels without a value, or None if each has one."""
    masks = []
    if values.mode == "F":
        masks.append(_mask(lambda value: value != value, values))  # true for NaN alone
        masks.append(_mask(lambda value: abs(value) >= LARGEST_MEASUREMENT, values))
    if (declared := meaning.missing_value) is not None and math.isfinite(declared):
        number = declared - shift if values.mode == "F" else int(declared) - shift
        masks.append(_mask(lambda value: value == number, values))
    return _united([mask for mask in masks if mask.getbbox()])


def _united(masks: list[Image.Image]) -> Image.Image | None:
    if not masks:
        return None
    first, *others = masks
    for mask in others:
        first.paste(WHITE, mask=mask)
    return first


def _filled(values: Image.Image, missing: Image.Image) -> Image.Image:
    """Return the values with one of them in each missing pixel. Raises ValidationError if all are missing."""
    valid = missing.point([WHITE - level for level in range(256)])
    if (box := valid.getbbox()) is None:
        raise ValidationError(NOTHING_MEASURED)
    row = valid.crop((0, box[1], valid.width, box[1] + 1)).tobytes()
    filled = values.copy()
    filled.paste(_pixel(values, row.index(WHITE), box[1]), mask=missing)
    return filled


def _usual_missing_value(low: float, meaning: Samples) -> float | None:
    may_be_negative = meaning.kind != SampleKind.UNSIGNED and meaning.missing_value is None
    return low if may_be_negative and low in USUAL_MISSING_VALUES else None


def _without(
    values: Image.Image, value: float, extrema: tuple[float, float]
) -> tuple[Image.Image, Image.Image | None, tuple[float, float]]:
    """Take a value as missing if it lies far from all others; return values, mask and extrema."""
    low, high = extrema
    number = value if values.mode == "F" else int(value)
    missing = _mask(lambda pixels: pixels == number, values)
    if low == high:
        return values, None, extrema
    filled = _filled(values, missing)
    next_low, next_high = _extrema(filled)
    if next_high - next_low < (high - low) / 2:
        return filled, missing, (next_low, next_high)
    return values, None, extrema


def _scale(low: float, high: float, meaning: Samples) -> Scale:
    """Return the whole range for a picture that uses half of it, or has one shade; else what is in the image."""
    if meaning.kind == SampleKind.UNSIGNED and meaning.bits <= DIGITAL_BITS:
        largest = (1 << meaning.bits) - 1
        if low == high or high - low > largest / 2:
            return Scale(black=0, white=largest, is_whole_range=True)
    return Scale(black=low, white=high)


def _stretched(values: Image.Image, scale: Scale, *, is_inverted: bool) -> Image.Image:
    width = scale.white - scale.black
    if not width:
        return Image.new("L", values.size, GREY)
    factor = WHITE / width
    offset = 0.5 - scale.black * factor  # converting to L cuts the fraction off
    grey = values.point(lambda value: value * factor + offset).convert("L")
    return grey.point([WHITE - level for level in range(256)]) if is_inverted else grey


def _note(scale: Scale, missing: Image.Image | None, shift: int, *, is_inverted: bool) -> str:
    """Return what was done to the values, in a sentence or two; empty if nothing was."""
    count = missing.histogram()[WHITE] if missing is not None else 0
    holes = (
        f"{count:,} pixel{pluralize(count)} without a value {pluralize(count, 'is,are')} white."
        if count
        else ""
    )
    low, high = (_written(value + shift) for value in (scale.black, scale.white))
    if scale.is_whole_range:
        return holes
    if scale.black == scale.white:
        return f"Every value is {low} and printed grey. {holes}".strip()
    colours = "white to black" if is_inverted else "black to white"
    return f"Its values from {low} to {high} are printed from {colours}. {holes}".strip()


def _written(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"


def _mask(test: Callable[[Any], Any], values: Image.Image) -> Image.Image:
    """Return an image of mode L: 255 where the test is true, 0 elsewhere."""
    return _calculated(test, values).convert("L").point([0] + [WHITE] * 255)


def _calculated(calculation: Callable[[Any], Any], values: Image.Image) -> Image.Image:
    image: Image.Image = ImageMath.lambda_eval(lambda images: calculation(images["values"]), values=values)
    return image


def _extrema(values: Image.Image) -> tuple[float, float]:
    low, high = values.getextrema()
    assert isinstance(low, int | float)  # noqa: S101 (one band has one pair)
    assert isinstance(high, int | float)  # noqa: S101
    return low, high


def _pixel(values: Image.Image, column: int, row: int) -> float:
    pixel = values.getpixel((column, row))
    assert isinstance(pixel, int | float)  # noqa: S101 (one band has one number)
    return pixel
