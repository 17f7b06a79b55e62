"""Draw the parts of a report in as many children at once as the machine has slots."""

import math
import threading
from collections.abc import Iterator, Sequence
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from django.conf import settings

from documents import exceptions
from documents.rendering import pool
from documents.rendering.pool import Report
from documents.rendering.protocol import PartsJob

MAX_ATTEMPTS = 2  # of parts whose child was killed from outside
POLL_INTERVAL_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class PartJob:
    """A part to draw: what people call it, its HTML, and the file that appears when it is complete."""

    name: str
    html_path: Path
    part_path: Path


class RenderStopped(Exception):
    """The report is no longer wanted."""


class ParallelRenderer:
    """Threads that each watch a child; leave it by ``with``, and nothing of it works on."""

    def __init__(self, *, deadline: float) -> None:
        self._deadline = deadline
        self._threads = ThreadPoolExecutor(settings.SPMS_RENDER_SLOTS, thread_name_prefix="crew")
        self._stop = threading.Event()
        self._drawing: list[Future[dict[Path, str]]] = []
        self._pages: dict[int, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._threads.shutdown(wait=True, cancel_futures=True)

    @property
    def pages(self) -> int:
        """How many pages are laid out so far."""
        return sum(self._pages.copy().values())

    def draw(self, pieces: Sequence[PartJob], images: dict[str, str]) -> None:
        """Draw pieces as soon as a child is free."""
        self._drawing.append(self._threads.submit(self._draw, len(self._drawing), pieces, images))

    def finished(self, report: Report) -> Iterator[dict[Path, str]]:
        """Yield, for each call of ``draw``, the files of its pieces that lack no image, and their SHA-256.

        Raises the first error.
        """
        rest = set(self._drawing)
        while rest:
            done, rest = futures.wait(rest, POLL_INTERVAL_SECONDS, futures.FIRST_COMPLETED)
            report("layout", self.pages)
            for job in done:
                yield job.result()

    def _draw(self, number: int, pieces: Sequence[PartJob], images: dict[str, str]) -> dict[Path, str]:
        for attempt in range(1, MAX_ATTEMPTS + 1):
            missing = [piece for piece in pieces if not piece.part_path.exists()]
            try:
                return self._draw_once(number, missing, images)
            except exceptions.RenderKilled as error:
                if attempt == MAX_ATTEMPTS:
                    raise _named(error, pieces) from error
            except (exceptions.AssemblyUnsupported, exceptions.RenderBusy):
                raise
            except exceptions.RenderError as error:
                raise _named(error, pieces) from error
        raise AssertionError("the last attempt returns or raises")

    def _draw_once(self, number: int, pieces: Sequence[PartJob], images: dict[str, str]) -> dict[Path, str]:
        def report(_phase: str, pages: int) -> None:
            if self._stop.is_set():
                raise RenderStopped
            self._pages[number] = pages

        drawing = PartsJob(
            paths=tuple((str(piece.html_path), str(piece.part_path)) for piece in pieces),
            images=images,
            cpu_seconds=math.ceil(settings.SPMS_RENDER_TIMEOUT),
        )
        drawn = pool.get_pool().draw(drawing, deadline=self._deadline, report=report)
        self._pages[number] = sum(part.pages for part in drawn)
        return {
            piece.part_path: part.digest for piece, part in zip(pieces, drawn, strict=True) if part.is_whole
        }


def _named(error: exceptions.RenderError, pieces: Sequence[PartJob]) -> exceptions.RenderError:
    """Say in which part it went wrong: they are drawn in order, so in the first that is not there."""
    name = next((piece.name for piece in pieces if not piece.part_path.exists()), "")
    return type(error)(f"In {name}: {error}", **error.extra) if name else error
