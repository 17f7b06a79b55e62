"""What is made of the bytes of a picture, format by format; no database."""

import io
import struct
import zlib

import pytest
from PIL import ExifTags, Image, ImageCms
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from documents.tasks.images import processing
from tests.made_pictures import (
    BLUE_INK,
    DARK_GREY,
    NOISE,
    WIDE,
    camera_exif,
    colour,
    file_of,
    is_close,
    png_of,
    prepared,
)

PHOTOGRAPH = Image.merge("RGB", [Image.effect_noise((1200, 800), 60) for _ in "RGB"])
SECRETS = (b"Camera of Somebody", b"<x:xmpmeta", b"a comment of Somebody", b"Somebody's profile", b"Exif\0")


def test_colours_of_a_wide_gamut_are_brought_into_srgb():
    image = prepared(file_of(Image.new("RGB", (60, 60), (100, 180, 100)), icc_profile=WIDE))
    assert is_close(colour(image), (0, 181, 95))


def test_a_transparent_picture_has_its_profile_applied_too():
    picture = Image.new("RGBA", (60, 60), (100, 180, 100, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 20, 60))
    image = prepared(file_of(picture, icc_profile=WIDE))
    assert is_close(colour(image), (0, 181, 95))
    assert image.getpixel((5, 30)) == (255, 255, 255)


def test_a_grey_profile_is_applied():
    image = prepared(file_of(Image.new("L", (60, 60), 55), icc_profile=DARK_GREY))
    assert is_close(colour(image), (127, 127, 127))


@pytest.mark.parametrize("mode", ["CMYK", "RGB", "L", "RGBA"])
@pytest.mark.parametrize(
    "broken", [b"", b"no profile", bytes(200), WIDE[:150], WIDE[:40] + WIDE[50:], b"x" * 70_000]
)
def test_a_broken_profile_is_ignored(mode, broken):
    plain = Image.new("RGB", (60, 60), (0, 160, 0)).convert(mode)
    image_format = "PNG" if mode == "RGBA" else "JPEG"
    image = prepared(file_of(plain, image_format, icc_profile=broken))
    assert is_close(colour(image), colour(prepared(file_of(plain, image_format))))


def test_a_profile_of_other_colours_is_ignored():
    image = prepared(file_of(Image.new("RGB", (60, 60), (200, 100, 50)), icc_profile=DARK_GREY))
    assert is_close(colour(image), (200, 100, 50))


@pytest.mark.parametrize(
    ("ink", "expected_colour"),
    [
        ((0, 0, 0, 0), (255, 255, 255)),
        ((255, 0, 0, 0), (0, 255, 255)),
        ((0, 255, 0, 0), (255, 0, 255)),
        ((0, 0, 255, 0), (255, 255, 0)),
        ((0, 0, 0, 255), (0, 0, 0)),
    ],
)
@pytest.mark.parametrize("image_format", ["JPEG", "TIFF"])
def test_inks_without_a_profile_become_their_colours(ink, expected_colour, image_format):
    """The JPEG is one of Adobe's, whose inks are stored the other way round."""
    content = file_of(
        Image.new("CMYK", (64, 64), ink), image_format, **({"quality": 98} if image_format == "JPEG" else {})
    )
    assert image_format == "TIFF" or b"Adobe" in content
    assert is_close(colour(prepared(content)), expected_colour)


@pytest.mark.parametrize("image_format", ["JPEG", "TIFF"])
def test_inks_are_what_their_profile_says(image_format):
    content = file_of(Image.new("CMYK", (64, 64), (255, 0, 0, 0)), image_format, icc_profile=BLUE_INK)
    red, green, blue = colour(prepared(content))
    assert red < green < blue
    assert blue > 150
    blank = file_of(Image.new("CMYK", (64, 64), (0, 0, 0, 0)), image_format, icc_profile=BLUE_INK)
    assert is_close(colour(prepared(blank)), (255, 255, 255))


def test_lab_becomes_rgb():
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    picture = Image.new("RGB", (60, 60), (200, 100, 50))
    converted = ImageCms.profileToProfile(picture, srgb, lab, outputMode="LAB")
    assert is_close(colour(prepared(file_of(converted, "TIFF"))), (200, 100, 50))


@pytest.mark.parametrize("mode", ["1", "L", "F", "I;16", "YCbCr"])
def test_black_and_white_stay_what_they_are(mode):
    high = 65535 if mode == "I;16" else 255
    picture = Image.new("L", (60, 60), 0)
    picture.paste(255, (30, 0, 60, 60))
    if mode == "I;16":
        picture = Image.frombytes("I;16", (60, 60), struct.pack("<60H", *[0] * 30, *[high] * 30) * 60)
    image = prepared(
        file_of(
            picture if mode == "I;16" else picture.convert(mode), "TIFF" if mode in {"F", "YCbCr"} else "PNG"
        )
    )
    assert is_close(image.getpixel((5, 30)), (0, 0, 0))
    assert is_close(image.getpixel((55, 30)), (255, 255, 255))


def test_16_bits_a_colour_are_taken():
    row = b"\0" + struct.pack(">3H", 51_400, 25_700, 12_850) * 8
    header = struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)
    image = prepared(png_of((b"IHDR", header), (b"IDAT", zlib.compress(row * 8))))
    assert is_close(colour(image), (200, 100, 50))


@pytest.mark.parametrize("transparency", [0, bytes([0, 255]), bytes([0])])
def test_a_transparent_colour_of_a_palette_becomes_white(transparency):
    picture = Image.new("P", (60, 60), 1)
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.paste(0, (0, 0, 30, 60))
    image = prepared(file_of(picture, transparency=transparency))
    assert image.getpixel((5, 30)) == (255, 255, 255)
    assert image.getpixel((55, 30)) == (0, 0, 255)


def test_a_transparent_grey_or_colour_without_an_alpha_channel_becomes_white():
    for mode, transparent in (("L", 7), ("RGB", (7, 7, 7))):
        picture = Image.new(mode, (60, 60), transparent)
        picture.paste(200 if mode == "L" else (200, 0, 0), (30, 0, 60, 60))
        assert prepared(file_of(picture, transparency=transparent)).getpixel((5, 30)) == (255, 255, 255)


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_kept(image_format):
    frames = [Image.new("RGB", (100, 80), colour) for colour in ("red", "lime", "blue")]
    content = file_of(frames[0], image_format, save_all=True, append_images=frames[1:])
    assert is_close(colour(prepared(content)), (255, 0, 0), by=12)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_picture_is_turned_upright(image_format, orientation):
    picture = Image.new("RGB", (400, 200), "white")
    picture.paste("red", (0, 0, 200, 100))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    image = prepared(file_of(picture, image_format, exif=exif))
    assert image.size == ((400, 200) if orientation < 5 else (200, 400))
    red = {
        (x, y)
        for x in (0.2, 0.8)
        for y in (0.2, 0.8)
        if image.getpixel((int(x * image.width), int(y * image.height)))[1] < 100
    }
    across, down = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}[
        orientation
    ]
    assert red == {(0.8 if across else 0.2, 0.8 if down else 0.2)}


def test_a_picture_that_lies_on_its_side_is_scaled_as_it_stands():
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    assert prepared(file_of(Image.new("RGB", (4000, 2000), "red"), "JPEG", exif=exif)).size == (877, 1754)


@pytest.mark.parametrize("wrong", [0, 9, 65_535])
def test_an_orientation_that_there_is_not_is_ignored(wrong):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = wrong
    assert prepared(file_of(Image.new("RGB", (40, 20), "red"), "JPEG", exif=exif)).size == (40, 20)


def test_exif_that_cannot_be_read_is_ignored():
    exif = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12\0\x03\xff\xff\xff\xff" + bytes(60_000)
    assert prepared(file_of(Image.new("RGB", (40, 20), "red"), "JPEG", exif=exif)).size == (40, 20)


def everything(image_format):
    """Return the options that put all that may tell of somebody into a file."""
    packet = b"<x:xmpmeta>a comment of Somebody</x:xmpmeta>"
    if image_format == "TIFF":
        tags = ImageFileDirectory_v2()
        tags[ExifTags.Base.Make], tags[700] = "Camera of Somebody", packet
        return {"tiffinfo": tags, "icc_profile": WIDE}
    options = {"exif": camera_exif(), "icc_profile": WIDE}
    if image_format == "JPEG":
        return options | {"comment": b"a comment of Somebody", "xmp": packet}
    if image_format == "WEBP":
        return options | {"xmp": packet}
    return options | {"pnginfo": text_chunks(packet)}


def text_chunks(packet):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", packet.decode())
    info.add_text("Comment", "a comment of Somebody")
    return info


@pytest.mark.parametrize("picture", [PHOTOGRAPH, Image.new("RGB", (400, 300), "red")], ids=["jpeg", "png"])
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_nothing_is_kept_but_the_pixels(picture, image_format):
    content = file_of(picture, image_format, **everything(image_format))
    assert sum(secret in content for secret in SECRETS) >= 2
    files = processing.prepare(io.BytesIO(content))
    for content_of_file in (files.content, files.thumbnail):
        assert not [secret for secret in SECRETS if secret in content_of_file]
        image = Image.open(io.BytesIO(content_of_file))
        assert not dict(image.getexif())
        assert not set(image.info) & {
            "icc_profile",
            "xmp",
            "comment",
            "exif",
            "XML:com.adobe.xmp",
            "transparency",
        }


def test_a_thumbnail_is_small_and_of_the_same_kind():
    for picture, expected_format in (
        (PHOTOGRAPH, "JPEG"),
        (Image.new("RGB", PHOTOGRAPH.size, "red"), "PNG"),
    ):
        files = processing.prepare(io.BytesIO(file_of(picture)))
        image = Image.open(io.BytesIO(files.thumbnail))
        assert (image.format, image.size) == (expected_format, (320, 213))
        assert len(files.thumbnail) < 60_000


def test_of_a_small_picture_it_is_the_picture_itself():
    files = processing.prepare(io.BytesIO(file_of(NOISE.resize((320, 10)))))
    assert files.thumbnail == files.content


@pytest.mark.parametrize(
    ("form", "size", "is_large"),
    [
        ("PNG", (4000, 2000), False),
        ("PNG", (4001, 2000), True),
        ("JPEG", (4000, 3000), False),  # it is decoded at a part of its size
        ("JPEG", (4001, 3000), True),
        ("PNG", (8000, 5000), True),
        ("PNG", (8001, 5000), False),
    ],
)
def test_large_is_what_takes_longer_than_a_request_should(form, size, is_large):
    """Over the bound of all images it is refused at once, so it is not large."""
    content = io.BytesIO(file_of(Image.new("L", size), form))
    assert processing.is_large(content) == is_large
    assert content.tell() == 0
