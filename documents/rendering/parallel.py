"""Draw the parts of a report in parallel, in as many rendering processes as the machine has slots."""

import math
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from django.conf import settings

from documents import exceptions
from documents.infrastructure.slot_queue import Turn
from documents.rendering import pool
from documents.rendering.pool import Report
from documents.rendering.protocol import PartsJob
from metrics.durations import Monotonic

MAX_ATTEMPTS = 2  # for parts whose child was killed from outside
MAX_SHARE_OF_TIME = (
    0.5  # of what a render may take, for parts drawn one after the other: others need time, too
)
# Faults of one part: its note is drawn in its place.
UNPRINTABLE = (exceptions.DocumentUnrenderable, exceptions.RenderCpuLimit, exceptions.RenderOutOfMemory)
POLL_INTERVAL_SECONDS = 0.03


@dataclass(frozen=True, kw_only=True)
class PartJob:
    """A part to draw: its name for people, its HTML, and the file that appears when it is complete.

    ``note_path`` is the HTML to draw if the part cannot be laid out.
    """

    name: str
    html_path: Path
    note_path: Path
    part_path: Path


@dataclass(frozen=True, kw_only=True)
class DrawingTime:
    """When some parts asked for a render slot, had it, and were drawn."""

    asked_at: Monotonic
    begun_at: Monotonic
    ended_at: Monotonic


class RenderStopped(Exception):
    """Raised in the threads of a renderer that is being closed."""


class ParallelRenderer:
    """Threads that each watch a rendering process; leaving the ``with`` block stops them all."""

    def __init__(self, *, deadline: Monotonic, turn: Turn) -> None:
        self._deadline, self._turn = deadline, turn
        self._threads = ThreadPoolExecutor(settings.SPMS_RENDER_SLOTS, thread_name_prefix="part-renderer")
        self._stop = threading.Event()
        self._submitted: list[Future[dict[Path, str]]] = []
        self._pages: dict[int, int] = {}
        self._times: list[DrawingTime] = []
        # What is wrong with each part that its note replaces, by its file.
        self.unprintable: dict[Path, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._threads.shutdown(wait=True, cancel_futures=True)

    @property
    def pages(self) -> int:
        """The number of pages laid out so far."""
        return sum(self._pages.copy().values())

    @property
    def waited_seconds(self) -> float:
        """How long parts waited for a render slot while no other was drawn."""
        return seconds_without_work(self._times)

    def submit(self, jobs: Sequence[PartJob], images: dict[str, str]) -> None:
        """Have parts drawn as soon as a rendering process is free; ``images`` maps addresses to local files."""
        self._submitted.append(self._threads.submit(self._render, len(self._submitted), jobs, images))

    def finished(self, report: Report) -> Iterator[dict[Path, str]]:
        """Yield, for each call of ``submit``, the files of its parts that are whole, with their SHA-256.

        Parts that lack an image or that their note replaces are not. Raises the first other error: RenderErrors,
        AssemblyUnsupported, StorageFull, StorageUnavailable.
        """
        unfinished = set(self._submitted)
        while unfinished:
            done, unfinished = futures.wait(unfinished, POLL_INTERVAL_SECONDS, futures.FIRST_COMPLETED)
            report("layout", self.pages)
            for finished in done:
                yield finished.result()

    def _render(self, number: int, jobs: Sequence[PartJob], images: dict[str, str]) -> dict[Path, str]:
        while True:
            try:
                return self._try_to_render(number, jobs, images)
            except UNPRINTABLE as error:
                jobs = self._with_note(jobs, error)

    def _with_note(self, jobs: Sequence[PartJob], error: exceptions.RenderError) -> list[PartJob]:
        """Return the jobs with the note of the part at fault, the first that is missing. Raises the error of a note."""
        bad = next((job for job in jobs if not job.part_path.exists()), None)
        if bad is None or bad.part_path in self.unprintable:
            raise error
        self.unprintable[bad.part_path] = str(error)
        return [replace(job, html_path=job.note_path) if job is bad else job for job in jobs]

    def _try_to_render(self, number: int, jobs: Sequence[PartJob], images: dict[str, str]) -> dict[Path, str]:
        for attempt in range(1, MAX_ATTEMPTS + 1):
            missing = [job for job in jobs if not job.part_path.exists()]
            try:
                return self._render_once(number, missing, images)
            except exceptions.RenderKilled as error:
                if attempt == MAX_ATTEMPTS:
                    raise _name_part(error, jobs) from error
            except (exceptions.AssemblyUnsupported, exceptions.RenderBusy):
                raise
            except exceptions.RenderError as error:
                raise _name_part(error, jobs) from error
        raise AssertionError("the last attempt returns or raises")

    def _render_once(self, number: int, jobs: Sequence[PartJob], images: dict[str, str]) -> dict[Path, str]:
        def report(_phase: str, pages: int) -> None:
            if self._stop.is_set():
                raise RenderStopped
            self._pages[number] = pages

        parts_job = PartsJob(
            paths=tuple((str(job.html_path), str(job.part_path)) for job in jobs),
            images=images,
            cpu_seconds=math.ceil(settings.SPMS_RENDER_TIMEOUT * MAX_SHARE_OF_TIME),
        )
        asked_at = time.monotonic()
        rendered, waited_seconds = pool.get_pool().render_parts(
            parts_job, deadline=self._deadline, report=report, turn=self._turn
        )
        self._times.append(
            DrawingTime(asked_at=asked_at, begun_at=asked_at + waited_seconds, ended_at=time.monotonic())
        )
        self._pages[number] = sum(part.pages for part in rendered)
        return {
            job.part_path: part.digest
            for job, part in zip(jobs, rendered, strict=True)
            if part.is_whole and job.part_path not in self.unprintable
        }


def seconds_without_work(times: Iterable[DrawingTime]) -> float:
    """Return for how many seconds at least one waited for its slot and none was drawn."""
    steps = sorted(
        step
        for drawn in times
        for step in ((drawn.asked_at, 1, 0), (drawn.begun_at, -1, 1), (drawn.ended_at, 0, -1))
    )
    seconds, before, waiting, drawing = 0.0, 0.0, 0, 0
    for at, more_waiting, more_drawing in steps:
        seconds += at - before if waiting and not drawing else 0.0
        before, waiting, drawing = at, waiting + more_waiting, drawing + more_drawing
    return seconds


def _name_part(error: exceptions.RenderError, jobs: Sequence[PartJob]) -> exceptions.RenderError:
    """Return the error with the name of its part: the first that is missing, as parts are drawn in order."""
    name = next((job.name for job in jobs if not job.part_path.exists()), "")
    return type(error)(f"In {name}: {error}", **error.extra) if name else error
