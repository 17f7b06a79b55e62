"""Images that cost more than their size tells: refused within bounds of computing time, whatever the container."""

import io
import os
import resource
import signal
import struct
import zlib

import psutil
import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from documents import exceptions
from documents.tasks.images import guard
from tests.asking import send
from tests.made_pictures import NOISE, file_of, png_of

HEADER = (b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
ROWS = (b"IDAT", zlib.compress(bytes(25 * 8)))
# The clocks of the kernel count whole seconds, and starting Python counts as well.
SPARE_CPU_SECONDS = 4


# As many as go into an upload that is not large; half as many kept a fast machine busy for less than a second.
NOTES = [(b"tEXt", b"k\0v")] * 500_000


@pytest.fixture
def new_pool(monkeypatch):
    """Image processes that have computed nothing yet: the time of a process counts when it ends, with all it did."""
    pool = guard.ImagePool()
    monkeypatch.setattr(guard, "_pool", lambda _: pool)
    yield
    pool.close()


def children_cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def repeated_passes(content, count):
    """Return a progressive JPEG whose last pass comes so many times."""
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * count + content[-2:]


@pytest.mark.usefixtures("new_pool")
@pytest.mark.parametrize("are_first", [True, False], ids=["before", "after"])
def test_a_png_of_very_many_notes_is_ended_within_its_computing_time(are_first):
    chunks = [HEADER, *NOTES, ROWS] if are_first else [HEADER, ROWS, *NOTES]
    content, before = png_of(*chunks), children_cpu_seconds()
    with pytest.raises(ValidationError, match="too much work"):
        guard.prepare(io.BytesIO(content), max_cpu_seconds=0)
    assert children_cpu_seconds() - before < 1 + SPARE_CPU_SECONDS


@pytest.mark.usefixtures("new_pool")
def test_the_header_alone_may_not_cost_much_either(monkeypatch):
    monkeypatch.setattr(guard, "MAX_CPU_SECONDS_OF_HEADER", 0)
    before = children_cpu_seconds()
    with pytest.raises(ValidationError, match="too much work"):
        guard.is_large(io.BytesIO(png_of(HEADER, *NOTES, ROWS)))
    assert children_cpu_seconds() - before < SPARE_CPU_SECONDS


def test_the_passes_of_a_jpeg_count_in_a_container_of_several_as_well():
    many = repeated_passes(file_of(NOISE.convert("RGB"), "JPEG", progressive=True), 150)
    container = io.BytesIO()
    NOISE.convert("RGB").save(container, "MPO", save_all=True, append_images=[NOISE.convert("RGB")])
    # The segment that makes it a container stands right after the beginning of the first image.
    marker = container.getvalue().index(b"\xff\xe2")
    length = struct.unpack(">H", container.getvalue()[marker + 2 : marker + 4])[0]
    mixed = many[:2] + container.getvalue()[marker : marker + 2 + length] + many[2:]
    with Image.open(io.BytesIO(mixed)) as image:
        assert image.format == "MPO"
    for content in (many, mixed):
        with pytest.raises(ValidationError, match="passes"):
            guard.prepare(io.BytesIO(content))


def tiff_of(jpeg, side):
    """Return a TIFF whose only strip is a JPEG of grey pixels."""
    tags = {256: side, 257: side, 258: 8, 259: 7, 262: 1, 273: 8, 277: 1, 278: side, 279: len(jpeg)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return (
        b"II*\0" + struct.pack("<I", 8 + len(jpeg)) + jpeg + struct.pack("<H", len(tags)) + entries + bytes(4)
    )


@pytest.mark.usefixtures("new_pool")
def test_the_passes_of_a_jpeg_inside_a_tiff_are_ended_within_their_computing_time():
    side = 2800
    grey = file_of(Image.linear_gradient("L").resize((side, side)), "JPEG", progressive=True, quality=1)
    assert guard.prepare(io.BytesIO(tiff_of(grey, side))).size == (1240, 1240)
    [warm] = guard._pool(os.getpid())._idle
    used = psutil.Process(warm._process.pid).cpu_times()
    content, before = tiff_of(repeated_passes(grey, 150), side), children_cpu_seconds()
    assert len(content) < 8 * 1024**2
    with pytest.raises(ValidationError, match=r"too much work|damaged"):  # libtiff counts them as well
        guard.prepare(io.BytesIO(content), max_cpu_seconds=1)
    assert children_cpu_seconds() - before < used.user + used.system + 1 + SPARE_CPU_SECONDS


def test_after_a_costly_image_the_next_one_is_prepared():
    with pytest.raises(ValidationError):
        guard.prepare(io.BytesIO(png_of(HEADER, *NOTES, ROWS)), max_cpu_seconds=0)
    assert guard.prepare(io.BytesIO(file_of(NOISE))).size == NOISE.size


def test_a_process_that_is_killed_is_replaced_and_its_upload_may_be_sent_again():
    assert guard.prepare(io.BytesIO(file_of(NOISE))).size == NOISE.size
    pool = guard._pool(os.getpid())
    process = pool._idle[-1]
    os.kill(process._process.pid, signal.SIGSTOP)
    psutil.Process(process._process.pid).kill()
    with pytest.raises(exceptions.ImagesBusy, match="Try again"):
        process.work({"name": "is_large", "path": "/dev/null", "folder": "/", "cpu_seconds": 9})
    assert guard.prepare(io.BytesIO(file_of(NOISE))).size == NOISE.size


@pytest.mark.usefixtures("new_pool")
def test_an_image_that_needs_too_much_memory_is_refused(monkeypatch):
    monkeypatch.setattr(guard, "MAX_MEMORY_BYTES", 120 * 1024**2)
    with pytest.raises(ValidationError, match=r"memory|damaged"):
        guard.prepare(io.BytesIO(file_of(Image.new("RGB", (6000, 6000)))))


@pytest.mark.django_db
def test_the_answer_to_a_costly_image_says_what_to_do(api, plan, monkeypatch):
    monkeypatch.setattr(guard, "MAX_CPU_SECONDS_OF_HEADER", 0)
    costly = SimpleUploadedFile("costly.png", png_of(HEADER, *NOTES, ROWS))
    answer = send(api, plan, costly)
    assert answer.status_code == 400
    assert "Save it as a plain JPEG or PNG" in str(answer.json())
