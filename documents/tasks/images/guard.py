"""Open uploaded images, and draw first pages, in a process that can be ended, so that none costs more than its bounds.

The cost of a hostile image hangs on what is inside it, not on its size or format: text chunks, passes, frames,
containers in containers. So the work is bounded, whatever the file is. The processes are started at first use,
stay warm, and end with the process that started them.
"""

import atexit
import contextlib
import functools
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.base import File

from documents import exceptions
from documents.infrastructure import processes, storage
from documents.rendering.pool import LineReader
from documents.tasks.images import child, processing
from documents.tasks.images.processing import PreparedImage, Upload

# Computing time. The largest image that is prepared in a request takes a second, the largest that is allowed about four
# (bench/images.py); slow machines take twice as long.
MAX_CPU_SECONDS_IN_REQUEST = 3
MAX_CPU_SECONDS_IN_TASK = 30
MAX_CPU_SECONDS_OF_HEADER = 1
# How long an image may take on a machine that is busy with other work, and how long it waits for its turn.
MAX_START_SECONDS = 10.0
MAX_SECONDS_PER_CPU_SECOND = 4
MAX_WAIT_SECONDS = 10.0
# While 40 million pixels are unpacked they take up to 0.7 GB.
MAX_MEMORY_BYTES = 1500 * 1024**2
MAX_IMAGES_PER_PROCESS = 100
POLL_INTERVAL_SECONDS = 0.05

COSTS_TOO_MUCH = (
    "This image takes too much work to open: it has very many passes, frames or notes inside."
    " Save it as a plain JPEG or PNG and send that."
)
DAMAGED = "This image is cut off or damaged; export it again and send that."
SIGNALS_OF_A_CRASH = frozenset(
    {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP}
)

logger = logging.getLogger(__name__)


def is_large(upload: Upload) -> bool:
    """Return True if preparing the image takes longer than a request should; opens no more than its header.

    Raises ValidationError for an image whose header alone costs too much, and ImagesBusy.
    """
    if isinstance(upload, File) and upload.size > processing.LARGE_BYTES:
        return True
    with storage.workspace() as folder:
        job = _job("is_large", upload, folder, MAX_CPU_SECONDS_OF_HEADER)
        return bool(_pool(os.getpid()).work(job)["is_large"])


def prepare(upload: Upload, *, max_cpu_seconds: int = MAX_CPU_SECONDS_IN_REQUEST) -> PreparedImage:
    """Return the image ready for print; see ``processing.prepare``.

    Raises ValidationError, also for an image that costs more than ``max_cpu_seconds``, and ImagesBusy.
    """
    with storage.workspace() as folder:
        facts = _pool(os.getpid()).work(_job("prepare", upload, folder, max_cpu_seconds))
        width, height = facts["size"]
        return PreparedImage(
            content=(folder / child.CONTENT).read_bytes(),
            suffix=facts["suffix"],
            size=(width, height),
            thumbnail=(folder / child.THUMBNAIL).read_bytes(),
            note=facts["note"],
        )


def draw_first_page(pdf: Path) -> bytes:
    """Return a small WebP of the first page of a PDF on this machine.

    Raises ValidationError for a PDF that cannot be drawn, and ImagesBusy.
    """
    with storage.workspace() as folder:
        job = {"name": child.FIRST_PAGE, "path": str(pdf), "folder": str(folder)}
        _pool(os.getpid()).work({**job, "cpu_seconds": MAX_CPU_SECONDS_IN_REQUEST})
        return (folder / child.CONTENT).read_bytes()


def _job(name: str, upload: Upload, folder: Path, cpu_seconds: int) -> dict[str, Any]:
    path = str(_local_path(upload, folder))
    return {"name": name, "path": path, "folder": str(folder), "cpu_seconds": cpu_seconds}


def _local_path(upload: Upload, folder: Path) -> Path:
    """Return where the image process can read the upload, which is left at its beginning."""
    upload.seek(0)
    if (temporary := getattr(upload, "temporary_file_path", None)) is not None:
        return Path(temporary())
    path = folder / "upload"
    with storage.translate_storage_errors(), path.open("wb") as copy:
        shutil.copyfileobj(upload, copy)
    upload.seek(0)
    return path


class ImageProcess:
    """One process that opens images."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", child.__name__, str(MAX_MEMORY_BYTES)]
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd="/", env=_environment())
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise exceptions.ImagesBusy(f"No process for images could be started: {reason}.") from error
        self._lines = LineReader(self._process)
        self._images = 0

    @property
    def is_usable(self) -> bool:
        """Whether the process runs and has not done its share."""
        return self._process.poll() is None and self._images < MAX_IMAGES_PER_PROCESS

    def work(self, job: dict[str, Any]) -> dict[str, Any]:
        """Do one job and return its facts; after any error but a refusal this process may be used no more."""
        self._images += 1
        max_seconds = MAX_START_SECONDS + MAX_SECONDS_PER_CPU_SECOND * job["cpu_seconds"]
        deadline = time.monotonic() + max_seconds
        self._send(job)
        while True:
            for facts in self._lines.read(POLL_INTERVAL_SECONDS):
                return facts
            if (code := self._process.poll()) is not None:
                raise _describe_death(code)
            if time.monotonic() > deadline:
                raise exceptions.ImagesBusy("The image was not ready in time. Try again in a few seconds.")

    def close(self) -> None:
        """End the process and wait for it."""
        processes.end_child(self._process)

    def _send(self, job: dict[str, Any]) -> None:
        assert self._process.stdin is not None  # noqa: S101 (opened above)
        with contextlib.suppress(BrokenPipeError):  # it has died: work says why
            self._process.stdin.write(json.dumps(job).encode() + b"\n")
            self._process.stdin.flush()


class ImagePool:
    """The image processes of this process: as many at once as the machine has cores."""

    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(settings.SPMS_RENDER_SLOTS)
        self._idle: list[ImageProcess] = []
        self._lock = threading.Lock()

    def work(self, job: dict[str, Any]) -> dict[str, Any]:
        """Do one job when a slot is free. Raises ValidationError and ImagesBusy."""
        with self._slot(), self._process() as process:
            facts = process.work(job)
        if "refused" in facts:
            raise ValidationError(facts["refused"])
        return facts

    def close(self) -> None:
        """End all idle processes."""
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.close()

    @contextlib.contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._slots.acquire(timeout=MAX_WAIT_SECONDS):
            raise exceptions.ImagesBusy("Other images are being prepared. Try again in a few seconds.")
        try:
            yield
        finally:
            self._slots.release()

    @contextlib.contextmanager
    def _process(self) -> Iterator[ImageProcess]:
        """Yield a warm process, or a new one; it is kept unless the work fails."""
        process = self._take() or ImageProcess()
        try:
            yield process
        except BaseException:
            process.close()
            raise
        with self._lock:
            self._idle.append(process)

    def _take(self) -> ImageProcess | None:
        while True:
            with self._lock:
                process = self._idle.pop() if self._idle else None
            if process is None or process.is_usable:
                return process
            process.close()


@functools.cache
def _pool(pid: int) -> ImagePool:
    """Return the pool of this process; a forked process, which has another ``pid``, gets one of its own."""
    pool = ImagePool()
    atexit.register(pool.close)
    return pool


def _environment() -> dict[str, str]:
    """Return the whole environment of an image process: no secrets."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(settings.BASE_DIR),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": "C.UTF-8",
    }


def _describe_death(code: int) -> Exception:
    if code == -signal.SIGXCPU:
        return ValidationError(COSTS_TOO_MUCH)
    if -code in SIGNALS_OF_A_CRASH:
        return ValidationError(DAMAGED)
    logger.warning("an image process ended early, with exit status %d", code)
    return exceptions.ImagesBusy("The process that prepares images ended early. Try again in a few seconds.")
