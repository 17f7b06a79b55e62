"""Pictures of every kind, made for tests: files, colour profiles, PNGs of given chunks."""

import io
import struct
import zlib

from PIL import ExifTags, Image

from documents.tasks.images import processing

NOISE = Image.effect_noise((400, 300), 60)


def file_of(image, image_format="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, image_format, **options)
    return stream.getvalue()


def prepared(content):
    """Return what is kept of a file, as an image."""
    files = processing.prepare(io.BytesIO(content))
    image = Image.open(io.BytesIO(files.content))
    assert (image.size, image.mode) == (files.size, "RGB")
    return image


def colour(image):
    return image.getpixel((image.width // 2, image.height // 2))


def is_close(actual, expected, by=6):
    return all(abs(a - b) <= by for a, b in zip(actual, expected, strict=True))


def tag(kind, body):
    return kind + b"\0\0\0\0" + body


def xyz(*values):
    return tag(b"XYZ ", struct.pack(">3i", *(round(value * 65536) for value in values)))


def profile(space, tags, connection=b"XYZ ", kind=b"mntr"):
    """Return an ICC profile of version 2 with these tags."""
    tags = {b"desc": tag(b"desc", struct.pack(">I", 19) + b"Somebody's profile\0" + bytes(79)), **tags}
    tags[b"wtpt"] = xyz(0.9642, 1.0, 0.8249)
    offset, table, bodies = 132 + 12 * len(tags), b"", b""
    for name, value in tags.items():
        body = value + bytes(-len(value) % 4)
        table += name + struct.pack(">2I", offset + len(bodies), len(body))
        bodies += body
    size = offset + len(bodies)
    head = struct.pack(">I4xI4s4s4s", size, 0x02400000, kind, space, connection) + bytes(12) + b"acsp"
    head += bytes(28) + struct.pack(">3i", *(round(value * 65536) for value in (0.9642, 1.0, 0.8249)))
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + bodies


def gamma(value):
    return tag(b"curv", struct.pack(">IH", 1, round(value * 256)))


WIDE = profile(  # Adobe RGB (1998)
    b"RGB ",
    {
        b"rXYZ": xyz(0.60974, 0.31111, 0.01947),
        b"gXYZ": xyz(0.20528, 0.62567, 0.06087),
        b"bXYZ": xyz(0.14919, 0.06322, 0.74457),
        b"rTRC": gamma(2.2),
        b"gTRC": gamma(2.2),
        b"bTRC": gamma(2.2),
    },
)
DARK_GREY = profile(b"GRAY", {b"kTRC": gamma(1.0)})


def inks(colours):
    """Return a CMYK profile: the Lab colour of full cyan, of none, and so on, between which is interpolated."""
    identity = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    body = bytes((4, 3, 2, 0))
    body += b"".join(struct.pack(">3i", *(value * 65536 for value in row)) for row in identity)
    body += bytes(range(256)) * 4 + bytes(colours) + bytes(range(256)) * 3
    return profile(b"CMYK", {b"A2B0": tag(b"mft1", body)}, connection=b"Lab ", kind=b"prtr")


# Cyan counts slowest and black fastest: cyan prints a middle blue here, and the other two inks nothing.
WHITE, BLUE, BLACK = [255, 128, 128], [128, 128, 88], [0, 128, 128]
BLUE_INK = inks((WHITE + BLACK) * 4 + (BLUE + BLACK) * 4)


def png_of(*chunks):
    parts = [*chunks, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def camera_exif():
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Camera of Somebody"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (31.0, 57.0, 8.0)
    return exif
