"""Greys of science: integers of any size and sign, floats, values that are missing; shown, or refused by name."""

import io
import math
import struct
import zlib

import pytest
from django.core.exceptions import ValidationError
from PIL import Image

from documents.tasks.images import greys, processing
from tests.made_pictures import png_of

WIDTH, HEIGHT = 64, 16
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
LETTERS = {
    **{(UNSIGNED, bits): letter for bits, letter in ((8, "B"), (16, "H"), (32, "I"), (64, "Q"))},
    **{(SIGNED, bits): letter for bits, letter in ((8, "b"), (16, "h"), (32, "i"), (64, "q"))},
    **{(FLOAT, bits): letter for bits, letter in ((16, "e"), (32, "f"), (64, "d"))},
}


def tiff(values, kind, bits, *, order="<", photometric=1, nodata="", packed=False, bands=1, compression=1):
    """Return a TIFF of one strip with these values; ``order`` is that of struct."""
    data = struct.pack(f"{order}{len(values)}{LETTERS[kind, bits]}", *values)
    data = zlib.compress(data) if packed else data
    count = len(values) // WIDTH // bands
    short = f"{order}HHIH2x"
    tags = [
        struct.pack(short, 256, 3, 1, WIDTH),
        struct.pack(short, 257, 3, 1, count),
        struct.pack(short, 258, 3, 1, bits),
        struct.pack(short, 259, 3, 1, 8 if packed else compression),
        struct.pack(short, 262, 3, 1, photometric),
        struct.pack(f"{order}HHII", 273, 4, 1, 8),
        struct.pack(short, 277, 3, 1, bands),
        struct.pack(short, 278, 3, 1, count),
        struct.pack(f"{order}HHII", 279, 4, 1, len(data)),
        struct.pack(short, 339, 3, 1, kind),
    ]
    text = nodata.encode().ljust(5, b"\0")
    if nodata:
        tags.append(struct.pack(f"{order}HHII", 42_113, 2, len(text), 8 + len(data)))
    magic = b"II*\0" if order == "<" else b"MM\0*"
    head = magic + struct.pack(f"{order}I", 8 + len(data) + len(text))
    return head + data + text + struct.pack(f"{order}H", len(tags)) + b"".join(tags) + bytes(4)


def ramp(low, high, kind=FLOAT):
    """Return values that rise from the left to the right."""
    row = [low + (high - low) * step / (WIDTH - 1) for step in range(WIDTH)]
    return (row if kind == FLOAT else [round(value) for value in row]) * HEIGHT


def printed(content):
    files = processing.prepare(io.BytesIO(content))
    return Image.open(io.BytesIO(files.content)).convert("L"), files.note


def levels(image):
    return [image.getpixel((column, HEIGHT - 1)) for column in range(image.width)]


def is_ramp(actual, *, falls=False):
    expected = [255 * step / (WIDTH - 1) for step in range(WIDTH)]
    return all(abs(a - b) <= 1.5 for a, b in zip(actual[:: -1 if falls else 1], expected, strict=True))


RANGES = {
    "float from 0 to 1": (FLOAT, 32, 0.0, 1.0),
    "NDVI": (FLOAT, 32, -1.0, 1.0),
    "NDVI in double precision": (FLOAT, 64, -1.0, 1.0),
    "heights": (FLOAT, 32, 1000.0, 9000.0),
    "12 bits in 16": (UNSIGNED, 16, 0, 4095),
    "14 bits in 16": (UNSIGNED, 16, 0, 16_383),
    "a narrow band of 16 bits": (UNSIGNED, 16, 40_000, 50_000),
    "whole 16 bits": (UNSIGNED, 16, 0, 65_535),
    "signed 8 bits": (SIGNED, 8, -128, 127),
    "signed 16 bits": (SIGNED, 16, -32_768, 32_767),
    "depths and heights": (SIGNED, 16, -400, 2500),
    "signed 32 bits": (SIGNED, 32, -(2**31), 2**31 - 1),
    "32 bits": (UNSIGNED, 32, 0, 2**32 - 1),
    "a narrow band of 32 bits": (UNSIGNED, 32, 3_000_000_000, 3_000_000_630),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "deflate"])
@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize("photometric", [1, 0], ids=["black is zero", "white is zero"])
@pytest.mark.parametrize("name", RANGES)
def test_values_of_any_kind_are_stretched_from_black_to_white(name, photometric, order, packed):
    kind, bits, low, high = RANGES[name]
    content = tiff(ramp(low, high, kind), kind, bits, order=order, photometric=photometric, packed=packed)
    image, note = printed(content)
    assert is_ramp(levels(image), falls=photometric == 0)
    colours = "black to white" if photometric else "white to black"
    said = (
        "" if name == "whole 16 bits" else f"Its values from {low:,} to {high:,} are printed from {colours}."
    )
    assert note == said.replace(".0 ", " ")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -3.4028234663852886e38])
def test_values_that_are_no_measurements_are_white(value):
    values = ramp(-1.0, 1.0)
    values[: 4 * WIDTH] = [value] * (4 * WIDTH)
    image, note = printed(tiff(values, FLOAT, 32))
    assert is_ramp(levels(image))
    assert {image.getpixel((column, 1)) for column in range(WIDTH)} == {255}
    assert (
        note
        == "Its values from -1 to 1 are printed from black to white. 256 pixels without a value are white."
    )


@pytest.mark.parametrize(
    ("kind", "bits", "value", "nodata", "low", "high"),
    [
        (FLOAT, 32, -9999.0, "-9999", -1.0, 1.0),
        (FLOAT, 32, -9999.0, "", -1.0, 1.0),
        (FLOAT, 64, -999.0, "-999", 0.0, 1.0),
        (SIGNED, 16, -32_768, "", 500, 2500),
        (UNSIGNED, 16, 0, "0", 7000, 12_000),
        (UNSIGNED, 32, 0, "0", 7000, 12_000),
        (SIGNED, 32, -99_999, "", 1, 640),
    ],
)
def test_a_value_that_stands_for_a_missing_one_is_white(kind, bits, value, nodata, low, high):
    values = ramp(low, high, kind)
    values[0] = value
    image, note = printed(tiff(values, kind, bits, nodata=nodata))
    assert is_ramp(levels(image))
    assert image.getpixel((0, 0)) == 255
    assert note.endswith("1 pixel without a value is white.")


def test_an_image_without_any_value_is_refused():
    with pytest.raises(ValidationError, match="no pixel holds a number"):
        printed(tiff([math.nan] * WIDTH * HEIGHT, FLOAT, 32))


def test_one_value_everywhere_is_grey():
    image, note = printed(tiff([7.5] * WIDTH * HEIGHT, FLOAT, 32))
    assert set(levels(image)) == {greys.GREY}
    assert note == "Every value is 7.5 and printed grey."


@pytest.mark.parametrize(
    ("kind", "bits", "words"),
    [
        (FLOAT, 16, "floating-point numbers of 16 bits"),
        (UNSIGNED, 64, "unsigned integers of 64 bits"),
        (SIGNED, 64, "signed integers of 64 bits"),
    ],
)
def test_numbers_that_cannot_be_read_are_refused_by_name(kind, bits, words):
    with pytest.raises(ValidationError, match=rf"{words}.*Export it as an 8-bit or 16-bit TIFF or PNG"):
        printed(tiff(ramp(0, 1, kind), kind, bits))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bands": 7}, "has 7 bands"),
        ({"bands": 4, "photometric": 1}, "in each of 4 bands"),
        ({"compression": 34_887}, "compressed in a way"),  # LERC
    ],
)
def test_layouts_that_cannot_be_read_are_refused_by_name(options, words):
    values = [1.0] * WIDTH * HEIGHT * options.get("bands", 1)
    with pytest.raises(ValidationError, match=words):
        printed(tiff(values, FLOAT, 32, **options))


def deep_png(values, colour_type=0, channels=1):
    row_length = WIDTH * channels
    rows = b"".join(
        b"\0" + struct.pack(f">{row_length}H", *values[at : at + row_length])
        for at in range(0, len(values), row_length)
    )
    header = struct.pack(">IIBBBBB", WIDTH, len(values) // row_length, 16, colour_type, 0, 0, 0)
    return png_of((b"IHDR", header), (b"IDAT", zlib.compress(rows)))


@pytest.mark.parametrize(("high", "is_noted"), [(4095, True), (65_535, False)])
def test_a_grey_png_of_16_bits_is_stretched_unless_it_uses_them(high, is_noted):
    image, note = printed(deep_png(ramp(0, high, UNSIGNED)))
    assert is_ramp(levels(image))
    assert bool(note) == is_noted


@pytest.mark.parametrize(("colour_type", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_colours_in_the_lowest_of_16_bits_are_refused(colour_type, channels):
    shades = [level for level in ramp(0, 4095, UNSIGNED) for _ in range(channels)]
    with pytest.raises(ValidationError, match=r"lowest of their 16 bits.*Scale them to 8 bits"):
        printed(deep_png(shades, colour_type, channels))


def test_colours_of_16_bits_in_separate_planes_are_read():
    planes = [value for level in (0, 0x8000, 0xFF00) for value in [level] * WIDTH * HEIGHT]
    content = bytearray(tiff(planes, UNSIGNED, 16, photometric=2))
    for tag, value in ((257, HEIGHT), (277, 3), (278, HEIGHT * 3)):
        at = content.index(struct.pack("<HHI", tag, 3, 1))
        content[at + 8 : at + 10] = struct.pack("<H", value)
    at = content.index(struct.pack("<HHI", 339, 3, 1))  # the last tag becomes PlanarConfiguration
    content[at : at + 10] = struct.pack("<HHIH", 284, 3, 1, 2)
    plane_bytes = WIDTH * HEIGHT * 2
    end = len(content)
    content += struct.pack("<3I", *(8 + plane_bytes * number for number in range(3)))
    content += struct.pack("<3I", *[plane_bytes] * 3)
    for tag, position in ((273, end), (279, end + 12)):
        at = content.index(struct.pack("<HHI", tag, 4, 1))
        content[at : at + 12] = struct.pack("<HHII", tag, 4, 3, position)
    files = processing.prepare(io.BytesIO(bytes(content)))
    assert Image.open(io.BytesIO(files.content)).getpixel((9, 9)) == (0, 0x80, 0xFF)
