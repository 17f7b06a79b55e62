"""Images are checked, turned upright, stripped and scaled once, when they are uploaded."""

import io
import resource
import struct
import time
import zlib
from pathlib import Path

import pikepdf
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import ExifTags, Image, ImageCms

from documents.models import DocumentImage
from documents.tasks.images import attachments
from tests import factories
from tests.asking import send

HTML = b"<html><script>alert(1)</script></html>"


def problem_of(answer, status):
    assert answer.status_code == status, answer.content[:300]
    assert answer["Content-Type"] == "application/problem+json"
    assert b"ErrorDetail(" not in answer.content
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:spms:problem:")
    assert problem["title"]
    assert problem["detail"]
    return problem


def stored_image(client, document, file):
    """Upload a file and return the image that is kept of it, as its readers get it."""
    answer = send(client, document, file)
    assert answer.status_code in {200, 201}, answer.content
    fetched = client.get(answer.data["url"])
    assert fetched.status_code == 200
    image = Image.open(io.BytesIO(b"".join(fetched.streaming_content)))
    assert fetched["Content-Type"] == f"image/{(image.format or '').lower()}"
    assert (answer.data["width"], answer.data["height"]) == image.size
    assert (image.format, image.mode) in {("PNG", "RGB"), ("JPEG", "RGB")}
    return image


def content_kept():
    return Path(DocumentImage.objects.get().file.path).read_bytes()


def file_of(image, image_format="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, image_format, **options)
    return SimpleUploadedFile(f"picture.{image_format.lower()}", stream.getvalue())


def bytes_of(image_format="PNG", **values):
    return factories.image_file(image_format=image_format, **values).read()


def named(content, name="picture.png"):
    return SimpleUploadedFile(name, content)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png(width, height, rows=None):
    """Return a PNG of one-bit pixels, all black: about 100 kB for a thousand million pixels."""
    packer, row = zlib.compressobj(9), b"\0" * (1 + width // 8)
    rows = rows or b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def colour_at(image, x=0.5, y=0.5):
    return image.convert("RGB").getpixel((int(x * (image.width - 1)), int(y * (image.height - 1))))


def assert_close(actual, expected, by=12):
    assert all(abs(a - b) <= by for a, b in zip(actual, expected, strict=True)), (actual, expected)


BAD_FILES = {
    "a cut-off jpeg": bytes_of("JPEG")[:9000],
    "a cut-off png": bytes_of("PNG")[:9000],
    "a cut-off gif": bytes_of("GIF", mode="P")[:5000],
    "a cut-off webp": bytes_of("WEBP")[:2000],
    "a header of a jpeg": bytes_of("JPEG")[:20],
    "a header of a png": bytes_of("PNG")[:24],
    "a png with a wrong checksum": bytes_of("PNG")[:300] + b"\xff" * 50 + bytes_of("PNG")[350:],
    "text called png": b"This is no image.",
    "html": HTML,
    "an svg": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><path d='M0 0h9v9z'/></svg>",
    "a pdf": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj",
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
    "a bitmap of windows": bytes_of("BMP"),
    "zeros": b"\0" * 10_000,
    "a png without pixels": b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 0, 8, 2, 0, 0, 0)),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_what_is_no_whole_image_is_refused(api, plan, name):
    problem = problem_of(send(api, plan, named(BAD_FILES[name])), 400)
    assert "image" in problem["detail"]
    assert not DocumentImage.objects.exists()


@pytest.mark.parametrize(
    ("pixels", "rows"),
    [(30_000, None), (13_000, None), (2_000_000_000, b"none")],
    ids=["30,000 x 30,000", "13,000 x 13,000", "a huge header alone"],
)
def test_an_image_of_too_many_pixels_is_refused_before_it_is_unpacked(api, plan, pixels, rows):
    content = huge_png(pixels, pixels, rows=rows)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    problem = problem_of(send(api, plan, named(content)), 400)
    assert "pixels" in problem["detail"]
    assert "40 million" in problem["detail"]
    assert time.process_time() - started < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024


@pytest.mark.parametrize(
    "name", ["picture.exe", "picture.svg", "../../picture.php", "picture", "x" * 300 + ".png"]
)
@pytest.mark.parametrize("image_format", ["PNG", "JPEG"])
def test_a_wrong_extension_does_not_matter(api, plan, name, image_format):
    assert stored_image(api, plan, named(bytes_of(image_format), name)).size == (400, 300)
    [image] = DocumentImage.objects.all()
    assert image.file.name in {f"images/{image.digest[:2]}/{image.digest}{end}" for end in (".png", ".jpg")}


@pytest.mark.parametrize("tail", [HTML, b"PK\x03\x04" + b"\0" * 26 + HTML], ids=["html", "zip"])
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF"])
def test_of_a_file_that_is_two_things_only_the_pixels_are_kept(api, plan, image_format, tail):
    stored_image(api, plan, named(bytes_of(image_format) + tail))
    content = content_kept()
    assert HTML not in content
    assert b"PK\x03\x04" not in content


def test_comments_and_text_chunks_are_dropped(api, plan):
    stored_image(api, plan, file_of(Image.effect_noise((300, 300), 60), "JPEG", comment=HTML))
    assert HTML not in content_kept()


def test_cmyk_becomes_rgb(api, plan):
    image = stored_image(api, plan, file_of(Image.new("CMYK", (300, 200), (255, 0, 0, 0)), "JPEG"))
    red, green, blue = colour_at(image)
    assert red < 60 < 130 < min(green, blue)


def test_a_profile_is_applied(api, plan):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain = colour_at(
        stored_image(api, plan, file_of(Image.new("RGB", (300, 200), (200, 100, 50)), icc_profile=srgb))
    )
    assert_close(plain, (200, 100, 50), by=3)
    # A profile of another kind of colour cannot be applied: the pixels are taken as they are.
    wrong = colour_at(
        stored_image(api, plan, file_of(Image.new("RGB", (300, 200), (200, 100, 50)), icc_profile=lab))
    )
    assert_close(wrong, (200, 100, 50), by=3)


@pytest.mark.parametrize("profile", [b"no profile", b"\0" * 200, b""], ids=["text", "zeros", "empty"])
@pytest.mark.parametrize("mode", ["CMYK", "RGB"])
def test_a_broken_profile_is_ignored(api, plan, mode, profile):
    file = file_of(Image.new("RGB", (300, 200), (0, 160, 0)).convert(mode), "JPEG", icc_profile=profile)
    red, green, blue = colour_at(stored_image(api, plan, file))
    assert green > red
    assert green > blue


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_upright(api, plan, orientation):
    picture = Image.new("RGB", (400, 200), "white")
    picture.paste("red", (0, 0, 200, 100))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    image = stored_image(api, plan, file_of(picture, "JPEG", exif=exif, quality=95))
    assert image.size == ((400, 200) if orientation < 5 else (200, 400))
    corners = {(x, y) for x in (0.2, 0.8) for y in (0.2, 0.8) if colour_at(image, x, y)[1] < 100}
    upright = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}
    x, y = upright[orientation]
    assert corners == {(0.8 if x else 0.2, 0.8 if y else 0.2)}


def test_where_and_with_what_a_photograph_was_taken_is_dropped(api, plan):
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Camera of Somebody"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (31.0, 57.0, 8.0)
    image = stored_image(
        api, plan, file_of(Image.effect_noise((900, 600), 60).convert("RGB"), "JPEG", exif=exif)
    )
    assert not dict(image.getexif())
    content = content_kept()
    assert b"Exif" not in content
    assert b"Somebody" not in content


def test_of_an_animation_the_first_frame_is_kept(api, plan):
    frames = [Image.new("RGB", (100, 80), colour) for colour in ("red", "green", "blue")]
    file = file_of(frames[0], "GIF", save_all=True, append_images=frames[1:])
    image = stored_image(api, plan, file)
    assert getattr(image, "n_frames", 1) == 1
    assert_close(colour_at(image), (255, 0, 0))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_becomes_white(api, plan, mode):
    picture = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (0, 0, 100, 200))
    image = stored_image(api, plan, file_of(picture.convert(mode)))
    assert_close(colour_at(image, 0.2), (0, 0, 0))
    assert_close(colour_at(image, 0.8), (255, 255, 255))


def test_16_bits_of_grey_keep_their_greys(api, plan):
    picture = Image.new("I;16", (256, 64))
    picture.putdata([x * 257 for _ in range(64) for x in range(256)])
    image = stored_image(api, plan, file_of(picture))
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        assert_close(colour_at(image, share), (int(255 * share),) * 3, by=3)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_every_common_mode_is_taken(api, plan, mode):
    picture = Image.new("RGB", (200, 200), "white")
    picture.paste("black", (0, 0, 100, 200))
    image = stored_image(api, plan, file_of(picture.convert(mode)))
    assert_close(colour_at(image, 0.2), (0, 0, 0))
    assert_close(colour_at(image, 0.8), (255, 255, 255))


@pytest.mark.parametrize("image_format", ["WEBP", "GIF", "TIFF", "JPEG", "PNG"])
def test_every_format_that_we_name_is_taken(api, plan, image_format):
    assert stored_image(api, plan, named(bytes_of(image_format))).size == (400, 300)


@pytest.mark.parametrize(
    ("size", "expected_size"),
    [
        ((3200, 2400), (1240, 930)),
        ((1000, 5000), (351, 1754)),
        ((1, 20_000), (1, 1754)),
        ((1240, 1754), None),
    ],
)
def test_an_image_is_no_larger_than_print_needs(api, plan, size, expected_size):
    image = stored_image(api, plan, file_of(Image.new("RGB", size, "green")))
    assert image.size == (expected_size or size)


def test_a_small_image_is_not_blown_up(api, plan):
    assert stored_image(api, plan, file_of(Image.new("RGB", (1, 1), "green"))).size == (1, 1)


@pytest.mark.django_db(transaction=True)  # a task of its own prepares it, in a thread
def test_a_photograph_of_20_megabytes_works(api, plan):
    content = bytes_of("JPEG", size=(5200, 3900), mode="RGB", quality=97, subsampling=0)
    content += b"\0" * (20 * 1024**2 - len(content))  # cameras append previews behind the picture
    image = stored_image(api, plan, named(content, "DSC_0001.JPG"))
    assert image.size == (1240, 930)
    assert len(content_kept()) < 2 * 1024**2


def test_an_upload_over_the_limit_is_refused(api, plan, settings):
    settings.SPMS_MAX_UPLOAD_BYTES = 50_000
    problem = problem_of(send(api, plan, named(b"\0" * 50_001)), 413)
    assert problem["type"] == "urn:spms:problem:body-too-large"
    assert "50,000" in problem["detail"]
    assert not DocumentImage.objects.exists()


def test_no_file_is_a_problem(api, plan):
    for values in ({}, {"file": ""}, {"file": "text"}, {"caption": "x"}):
        problem_of(api.post(f"/api/v1/documents/{plan.pk}/images/", values, format="multipart"), 400)


def test_an_empty_file_is_a_problem(api, plan):
    problem_of(send(api, plan, named(b"")), 400)


def test_two_files_are_a_problem_instead_of_one_that_is_lost(api, plan):
    files = {"file": named(bytes_of()), "other": named(bytes_of())}
    problem_of(api.post(f"/api/v1/documents/{plan.pk}/images/", files, format="multipart"), 400)
    problem_of(send(api, plan, [named(bytes_of()), named(bytes_of())]), 400)


@pytest.mark.parametrize("caption", ["a\0b", "x" * 301])
def test_a_caption_that_cannot_be_kept_is_a_problem(api, plan, caption):
    problem_of(send(api, plan, named(bytes_of()), caption=caption), 400)
    assert not DocumentImage.objects.exists()


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "multipart/form-data", 400),
        (b"x", "multipart/form-data; boundary=", 400),
        (b"--b\r\nno header", "multipart/form-data; boundary=b", 400),
        (b"{}", "application/json", 415),
        (b"\x89PNG", "image/png", 415),
    ],
)
def test_a_body_that_is_no_form_is_a_problem(api, plan, body, content_type, status):
    address = f"/api/v1/documents/{plan.pk}/images/"
    problem_of(api.generic("POST", address, body, content_type=content_type), status)


def test_images_are_for_readers_of_the_document(plan, member, stranger, client_of, client):
    assert problem_of(send(client_of(stranger), plan, named(bytes_of())), 404)
    anonymous = client.post(f"/api/v1/documents/{plan.pk}/images/", {"file": named(bytes_of())})
    problem_of(anonymous, 401)
    assert not DocumentImage.objects.exists()
    url = factories.image(plan).url
    answer = client_of(member).get(url)
    assert (answer.status_code, b"".join(answer.streaming_content)[:4]) == (200, b"\x89PNG")
    problem_of(client_of(stranger).get(url), 404)
    problem_of(client.get(url), 401)


@pytest.mark.django_db(transaction=True)
def test_an_image_of_another_document_is_not_drawn(api, plan, owner, stranger):
    image = attachments.attach(factories.document(stranger), factories.image_file(size=(600, 600)))
    own = factories.image(plan)
    sections = {"aims": f'<p>x</p><img src="{image.url}"><img src="{own.url}">'}
    assert api.patch(f"/api/v1/documents/{plan.pk}/", {"sections": sections}).status_code == 200
    answer = api.post(f"/api/v1/documents/{plan.pk}/pdf/")
    assert answer.status_code == 201, answer.content
    assert any("1 image" in warning["text"] for warning in answer.data["result"]["warnings"])
    pdf = b"".join(api.get(f"/api/v1/documents/{plan.pk}/pdf/").streaming_content)
    with pikepdf.open(io.BytesIO(pdf)) as document:
        images = [item for item in document.objects if isinstance(item, pikepdf.Stream) and "/Width" in item]
        sizes = {(int(item.Width), int(item.Height)) for item in images}
    assert sizes == {(400, 300)}


def test_a_member_that_nobody_knows_is_refused(api, plan):
    form = {"file": factories.image_file(), "captoin": "A turtle"}
    answer = api.post(f"/api/v1/documents/{plan.pk}/images/", form, format="multipart")
    assert (answer.status_code, "captoin" in answer.json()["detail"]) == (400, True)
