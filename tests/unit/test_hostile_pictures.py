"""Bytes that want to hurt: bombs, claims, very many passes or frames, damage; answered by a plain refusal."""

import io
import random
import resource
import struct
import time
import zlib

import pytest
from django.core.exceptions import ValidationError
from PIL import Image

from documents.tasks.images import processing
from tests.made_pictures import (
    BLUE_INK,
    NOISE,
    WIDE,
    camera_exif,
    colour,
    file_of,
    png_of,
    prepared,
)

SVG = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
MIB = 1024  # of the kilobytes that getrusage counts


def claiming(image_format, side=40_001):
    """Return a tiny file that says it has so many pixels a side."""
    if image_format == "PNG":
        return png_of(
            (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(99)))
        )
    if image_format == "GIF":
        return b"GIF89a" + struct.pack("<HH", side, side) + file_of(Image.new("P", (9, 9)), "GIF")[10:]
    if image_format == "TIFF":
        small = file_of(Image.new("RGB", (256, 258)), "TIFF", compression="tiff_adobe_deflate")
        positions = [
            small.index(struct.pack("<HHIH", kind, 3, 1, value)) for kind, value in ((256, 256), (257, 258))
        ]
        for at in positions:
            small = small[: at + 8] + struct.pack("<H", side) + small[at + 10 :]
        return small
    canvas = (side - 1).to_bytes(3, "little") * 2
    body = (
        b"WEBPVP8X"
        + struct.pack("<I", 10)
        + bytes(4)
        + canvas
        + file_of(Image.new("RGB", (9, 9)), "WEBP")[12:]
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("side", [7_000, 40_001])
@pytest.mark.parametrize("image_format", ["PNG", "GIF", "TIFF", "WEBP"])
def test_a_small_file_that_claims_to_be_huge_is_refused_at_once(image_format, side):
    content, before = claiming(image_format, side), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert len(content) < 2000
    assert not processing.is_large(io.BytesIO(content))
    with pytest.raises(ValidationError):
        processing.prepare(io.BytesIO(content))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30 * MIB


def test_chunks_that_unpack_to_gigabytes_are_refused():
    bomb = zlib.compress(bytes(30_000_000), 9)
    header = (b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
    rows = (b"IDAT", zlib.compress(bytes(25 * 8)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for kind, head in ((b"iCCP", b"profile\0\0"), (b"zTXt", b"Comment\0\0"), (b"iTXt", b"Comment\0\1\0\0\0")):
        with pytest.raises(ValidationError):
            processing.prepare(io.BytesIO(png_of(header, *[(kind, head + bomb)] * 50, rows)))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30 * MIB


def test_a_jpeg_of_very_many_passes_is_refused():
    content = file_of(NOISE.convert("RGB"), "JPEG", progressive=True)
    assert prepared(content).size == (400, 300)
    last = content.rindex(b"\xff\xda")
    with pytest.raises(ValidationError, match="passes"):
        processing.prepare(io.BytesIO(content[:-2] + content[last:-2] * 200 + content[-2:]))


def test_a_gif_of_10_000_frames_costs_what_its_first_one_costs():
    single_frame = file_of(Image.new("L", (40, 30), 9), "GIF")
    begin = single_frame.index(b"\x2c", 13)
    content = single_frame[:begin] + single_frame[begin:-1] * 10_000 + single_frame[-1:]
    started = time.process_time()
    assert colour(prepared(content)) == (9, 9, 9)
    assert time.process_time() - started < 1


def test_of_a_tiff_of_many_pages_the_first_one_is_kept():
    pages = [Image.new("L", (40, 30), shade) for shade in range(100)]
    assert colour(prepared(file_of(pages[9], "TIFF", save_all=True, append_images=pages))) == (9, 9, 9)


@pytest.mark.parametrize("text", [SVG, b"<?xml version='1.0'?>" + SVG, b"", b"\0"])
def test_what_is_no_picture_is_refused(text):
    with pytest.raises(ValidationError, match="no image"):
        processing.prepare(io.BytesIO(text))


def test_whatever_bytes_come_the_answer_is_a_picture_or_a_plain_refusal():
    """Damaged on purpose, always in the same way; many more were tried when this was written."""
    chance = random.Random(7)
    small = NOISE.resize((64, 48))
    seeds = [
        file_of(small.convert("RGB"), "JPEG", exif=camera_exif(), icc_profile=WIDE),
        file_of(small.convert("RGBA"), "PNG", exif=camera_exif(), icc_profile=WIDE),
        file_of(small.convert("P"), "GIF"),
        file_of(small.convert("RGB"), "WEBP", exif=camera_exif()),
        file_of(small.convert("CMYK"), "TIFF", icc_profile=BLUE_INK),
    ]
    outcomes = set()
    for _ in range(400):
        content = bytearray(chance.choice(seeds))
        for _ in range(chance.choice((1, 3, 12))):
            content[chance.randrange(min(600, len(content)))] = chance.randrange(256)
        try:
            processing.prepare(io.BytesIO(bytes(content)))
        except ValidationError:
            outcomes.add("refused")
        else:
            outcomes.add("taken")
    assert outcomes == {"refused", "taken"}
