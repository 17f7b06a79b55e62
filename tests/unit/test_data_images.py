"""Images that stand in the text itself cost a render no more than its bounds, however many there are."""

import base64
import io

import pytest
from PIL import Image

from documents.rendering import fetcher
from documents.rendering.fetcher import AllowListFetcher, RefusedAddress

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
