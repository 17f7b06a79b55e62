"""The measurements of images: how long preparing takes by size and format, and how long an upload waits."""

import contextlib
import io
import time
from collections.abc import Iterator
from functools import partial
from random import Random
from statistics import quantiles

import requests
from PIL import Image, ImageFilter

from bench.clients import Bench, seconds
from bench.report import Row, milliseconds
from bench.server import running, workers
from documents.tasks.images import processing

MEGAPIXELS = (3, 8, 12, 24, 39)
MAX_INLINE = {
    "JPEG": processing.LARGE_PIXELS_OF_A_JPEG // 1_000_000,
    "PNG": processing.LARGE_PIXELS // 1_000_000,
}
FORMATS: dict[str, dict[str, int]] = {"JPEG": {"quality": 92}, "PNG": {"compress_level": 1}}
GOAL_SECONDS = 0.3
LARGE_MEGAPIXELS = 24


def images(bench: Bench) -> Iterator[Row]:
    """Measure preparing alone, and the upload of a large image inline and queued."""
    for image_format in FORMATS:
        taken = {megapixels: _preparing(megapixels, image_format) for megapixels in MEGAPIXELS}
        text = ", ".join(f"{megapixels} Mpx {milliseconds(took)}" for megapixels, took in taken.items())
        yield Row(
            criterion=f"preparing a {image_format} for print, CPU time",
            goal=f"≤ 300 ms up to {MAX_INLINE[image_format]} Mpx (prepared in the request)",
            measured=text,
            is_met=taken[MAX_INLINE[image_format]] <= GOAL_SECONDS,
        )
    times = bench.times(20)
    inline = _uploads(bench, times, mode="inline")
    queued = _uploads(bench, times, mode="queue")
    yield Row(
        criterion=f"`POST …/images/` of a PNG of {LARGE_MEGAPIXELS} Mpx, p95, inline compared with queued",
        measured=f"{milliseconds(inline)} to {milliseconds(queued)} ({inline / queued:.1f} ×)",
    )


def picture(megapixels: float, image_format: str, seed: int = 1) -> bytes:
    """Return a file of this many million pixels that compresses like a photograph."""
    small = Image.frombytes("RGB", (400, 300), Random(seed).randbytes(400 * 300 * 3))
    width = int((megapixels * 1_000_000 * 4 / 3) ** 0.5)
    large = small.filter(ImageFilter.GaussianBlur(2)).resize((width, width * 3 // 4))
    stream = io.BytesIO()
    large.save(stream, image_format, **FORMATS[image_format])
    return stream.getvalue()


def _preparing(megapixels: float, image_format: str) -> float:
    """Return the least CPU time of three runs, as other work only adds to it."""
    content = picture(megapixels, image_format)

    def once() -> float:
        started = time.process_time()
        processing.prepare(io.BytesIO(content))
        return time.process_time() - started

    return min(once() for _ in range(3))


def _uploads(bench: Bench, times: int, *, mode: str) -> float:
    """Return the p95 of the upload of a large image, each a different one, in a mode."""
    contents = [picture(LARGE_MEGAPIXELS, "PNG", seed) for seed in range(100, 100 + times)]
    with contextlib.ExitStack() as stack:
        if mode == "queue":  # first: without workers such a server is not ready
            stack.enter_context(workers(bench.folder, {"SPMS_MODE": mode}))
        server = stack.enter_context(running(bench.folder, SPMS_MODE=mode))
        client = server.session(bench.documents.token)
        address = f"{server.url}/api/v1/documents/{bench.documents.short}/images/"
        expected_status = 202 if mode == "queue" else 201
        taken = [seconds(partial(_send, client, address, content, expected_status)) for content in contents]
        _forget(client, address)
    return quantiles(taken, n=20)[-1]


def _send(client: requests.Session, address: str, content: bytes, expected_status: int) -> None:
    answer = client.post(address, files={"file": ("large.png", content)}, timeout=120)
    if answer.status_code != expected_status:
        raise SystemExit(f"bench: {address} answered {answer.status_code}: {answer.text[:300]}")


def _forget(client: requests.Session, address: str) -> None:
    """Wait until all images are prepared, and delete them before the next mode."""
    from documents.models import DocumentImage

    while any(image["state"] == "waiting" for image in client.get(address, timeout=60).json()):
        time.sleep(0.2)
    DocumentImage.objects.exclude(task=None).delete()
