"""Images that stand in the text itself cost a render no more than its bounds, however many there are."""

import base64
import io
from html import escape
from urllib.parse import quote

import pytest
from PIL import Image

from documents.content.normalising import normalise_html
from documents.models import richtext
from documents.rendering import fetcher
from documents.rendering.fetcher import AllowListFetcher, RefusedAddress
from tests.made_pictures import NOISE, file_of

# A few kilobytes that unpack to 36 million pixels.
LARGE = (6000, 6000)


def uri_of(content, media_type="image/png"):
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def png(size):
    stream = io.BytesIO()
    Image.new("1", size).save(stream, "PNG")
    return uri_of(stream.getvalue())


@pytest.fixture(scope="module")
def large():
    return png(LARGE)


@pytest.fixture
def images():
    restricted = AllowListFetcher()
    restricted.allow({})
    return restricted


def test_small_images_are_fetched(images):
    assert images.fetch(png((10, 10))).content_type == "image/png"


def test_all_images_of_a_render_share_one_bound_of_pixels(images, large):
    assert len(large) < fetcher.MAX_DATA_URI_CHARACTERS
    for _ in range(fetcher.MAX_PIXELS_TOGETHER // (LARGE[0] * LARGE[1])):
        images.fetch(large)
    with pytest.raises(RefusedAddress, match="too large together; upload it instead"):
        images.fetch(large)
    images.fetch(png((10, 10)))  # which is small enough for what is left


def test_the_next_render_begins_with_nothing_spent(images, large):
    for _ in range(5):
        images.allow({})
        images.fetch(large)


def test_a_single_image_of_too_many_pixels_is_refused(images):
    with pytest.raises(RefusedAddress, match="this image has too many pixels"):
        images.fetch(png((8000, 6000)))


def test_the_number_of_images_is_bounded(images):
    small = png((1, 1))
    for _ in range(fetcher.MAX_DATA_IMAGES):
        images.fetch(small)
    with pytest.raises(RefusedAddress, match="too many"):
        images.fetch(small)


def test_a_jpeg_of_many_passes_is_refused(images):
    stream = io.BytesIO()
    Image.new("L", (100, 100)).save(stream, "JPEG", progressive=True)
    content = stream.getvalue()
    start = content.rindex(fetcher.START_OF_SCAN)
    last_scan = content[start:-2]
    assert images.fetch(uri_of(content, "image/jpeg")).content_type == "image/jpeg"
    with pytest.raises(RefusedAddress, match="too many passes"):
        images.fetch(uri_of(content[:-2] + last_scan * fetcher.MAX_SCANS + content[-2:], "image/jpeg"))


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF", "WEBP"])
def test_an_image_that_is_cut_off_is_refused_although_weasyprint_would_draw_half_of_it(images, image_format):
    content = file_of(NOISE, image_format)
    with pytest.raises(RefusedAddress, match=r"cut off or damaged|no raster image"):
        images.fetch(uri_of(content[: len(content) * 2 // 3]))
    assert images.fetch(uri_of(content)).content_type == f"image/{image_format.lower()}"


def test_greys_of_16_bits_are_refused_as_weasyprint_would_draw_them_black(images):
    with pytest.raises(RefusedAddress, match="greys of 16 bits; upload it"):
        images.fetch(uri_of(file_of(Image.new("I;16", (8, 8), 900))))


PNG = file_of(Image.new("RGB", (3, 2), "red"))
BASE64 = base64.b64encode(PNG).decode()


@pytest.mark.parametrize(
    "address",
    [
        f"DATA:IMAGE/PNG;BASE64,{BASE64}",
        f"data:image/png;charset=utf-8;base64,{BASE64}",
        f"data:image/x-png;base64,{BASE64}",
        f"data:image/jpg;base64,{BASE64}",  # the bytes count, not their name
        f"data:;base64,{BASE64}",
        f"data:application/octet-stream;base64,{BASE64}",
        f"data:image/png;base64,{quote(BASE64, safe='')}",
        f"data:image/png;base64,{BASE64.rstrip('=')}",
        f"data:image/png;base64,{BASE64.replace('+', '-').replace('/', '_')}",
        f" data:image/png;base64,{BASE64[:30]}\r\n {BASE64[30:]}\n",
        f"data:image/png,{quote(PNG)}",
        f"data:image/png;name=a.png;base64,{BASE64}",
    ],
)
def test_an_address_is_stored_in_one_spelling_whatever_it_came_in(address):
    stored = f"data:image/png;base64,{BASE64}"
    assert richtext.image_source(address) == stored
    for clean in (richtext.clean_html, lambda html: normalise_html(html, "aims").html):
        assert f'src="{stored}"' in clean(f'<p><img src="{escape(address)}" alt="x"></p>')


@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        *(("image/jpg", "JPEG"), ("image/pjpeg", "JPEG"), ("IMAGE/JPEG", "JPEG"), ("image/png", "JPEG")),
        *(("image/gif", "GIF"), ("image/webp", "WEBP")),
    ],
)
def test_the_bytes_say_what_an_image_is(media_type, content):
    body = base64.b64encode(file_of(Image.new("RGB", (3, 2)), content)).decode()
    stored = richtext.image_source(f"data:{media_type};charset=utf-8;base64,{body}")
    assert stored == f"data:image/{content.lower()};base64,{body}"


@pytest.mark.parametrize(
    "address",
    [
        *(
            "data:",
            "data:,",
            "data:image/png;base64,",
            "data:image/png;base64,@@@@",
            "data:image/png;base64,A",
        ),
        *("data:image/svg+xml;base64,PHN2Zy8+", "data:image/tiff;base64,SUkqAAAA", "data:image/png,"),
        *(f"data:text/html;base64,{BASE64}", f"javascript:data:image/png;base64,{BASE64}"),
    ],
)
def test_other_addresses_are_missing_images(address):
    assert richtext.image_source(address) is None


@pytest.mark.parametrize(
    "head", ["DATA:Image/PNG;charset=utf-8;BASE64,", "data:;base64,", "data:image/jpg;base64,"]
)
def test_an_image_that_is_too_large_for_its_text_is_named_in_any_spelling(head):
    text = normalise_html(f'<p>a <img alt="Chart" src="{head}{"A" * 1_200_000}"> b</p>', "aims")
    assert text.html == '<p>a <img alt="Chart" title="Chart"> b</p>'
    assert "“Chart” is missing: it is too large to be part of the text" in text.warnings[0].what
