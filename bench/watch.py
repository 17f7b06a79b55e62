"""Watching a system under load: the memory of each role, the connections, and the cost of ``/metrics``."""

import contextlib
import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression, median

import psutil
import psycopg
import requests
from prometheus_client.multiprocess import MultiProcessCollector

from bench.clients import seconds

EVERY_SECONDS = 5.0
MEGABYTE = 1e6
RENDERING = "documents.rendering.child"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One look: seconds since the first, bytes by role and process id, and what ``/metrics`` costs.

    ``metrics_seconds`` is what a client waited, ``merge_seconds`` the computing time of the part that can grow.
    """

    at_seconds: float
    memory_bytes: Mapping[str, Mapping[int, int]]
    metrics_seconds: float
    merge_seconds: float
    metrics_bytes: int
    connections: int


@dataclass(frozen=True, kw_only=True)
class Growth:
    """How the memory of a role went, in MB: at both ends, and a minute by two kinds of slope.

    ``fitted`` is least squares; ``typical`` the median slope between any two samples, which a process that is just
    being replaced does not bend. ``steepest`` is the largest typical slope of any one process that lived to the end.
    """

    first: float
    last: float
    fitted: float
    typical: float
    steepest: float
    processes: int


class Watch(threading.Thread):
    """Samples a system every few seconds until ``stop`` is called.

    ``roles`` gives the processes of each role at a moment; a client on this machine asks for ``/metrics``,
    whose files stand below the folder ``counts``.
    """

    def __init__(
        self, roles: Callable[[], dict[str, list[psutil.Process]]], url: str, database: str, counts: Path
    ) -> None:
        super().__init__(daemon=True)
        self._roles, self._url, self._database, self._counts = roles, url, database, counts
        self._stop_watching = threading.Event()
        self.samples: list[Sample] = []
        self.error: Exception | None = None

    def run(self) -> None:
        """Sample until ``stop``."""
        begun_at = time.monotonic()
        try:
            with requests.Session() as client, psycopg.connect(self._database, autocommit=True) as database:
                client.trust_env = False
                while not self._stop_watching.is_set():
                    self.samples.append(self._look(client, database, time.monotonic() - begun_at))
                    self._stop_watching.wait(EVERY_SECONDS)
        except Exception as error:  # noqa: BLE001 (raised again by stop)
            self.error = error

    def stop(self) -> list[Sample]:
        """End and return the samples; raises what went wrong."""
        self._stop_watching.set()
        self.join()
        if self.error:
            raise self.error
        return self.samples

    def _look(
        self, client: requests.Session, database: psycopg.Connection[tuple[int]], at_seconds: float
    ) -> Sample:
        sizes: list[int] = []
        taken = seconds(lambda: sizes.append(len(client.get(f"{self._url}/metrics", timeout=60).content)))
        row = database.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        ).fetchone()
        return Sample(
            at_seconds=at_seconds,
            memory_bytes={role: dict(_sizes(processes)) for role, processes in self._roles().items()},
            metrics_seconds=taken,
            merge_seconds=_merge_seconds(self._counts),
            metrics_bytes=sizes[0],
            connections=row[0] if row else 0,
        )


def _merge_seconds(counts: Path) -> float:
    """Merge the counts of all processes as a scrape does; a file in the making is tried again."""
    while True:
        with contextlib.suppress(OSError, ValueError, KeyError):
            started = time.thread_time()
            MultiProcessCollector.merge([str(path) for path in counts.glob("*/*.db")])
            return time.thread_time() - started


def _sizes(processes: list[psutil.Process]) -> Iterator[tuple[int, int]]:
    """Give what each process has for itself: shares of shared pages change with whoever else runs here."""
    for process in processes:
        try:
            yield process.pid, process.memory_full_info().uss
        except psutil.Error:  # it has ended
            continue


def split(processes: list[psutil.Process]) -> tuple[list[psutil.Process], list[psutil.Process]]:
    """Return those that do not render, and those that do."""
    parts: tuple[list[psutil.Process], list[psutil.Process]] = ([], [])
    for process in processes:
        try:
            parts[RENDERING in process.cmdline()].append(process)
        except psutil.Error:
            continue
    return parts


def family(process: psutil.Process) -> list[psutil.Process]:
    """Return a process and all that it started."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def growth(samples: list[Sample], role: str) -> Growth:
    """Say how the memory of a role went over these samples."""
    totals = [(sample.at_seconds, sum(sample.memory_bytes[role].values()) / MEGABYTE) for sample in samples]
    by_process: defaultdict[int, list[tuple[float, float]]] = defaultdict(list)
    for sample in samples:
        for pid, size in sample.memory_bytes[role].items():
            by_process[pid].append((sample.at_seconds, size / MEGABYTE))
    lasting = [points for points in by_process.values() if len(points) >= len(samples) * 0.9]
    few = max(1, len(totals) // 10)
    return Growth(
        first=median(size for _, size in totals[:few]),
        last=median(size for _, size in totals[-few:]),
        fitted=60 * linear_regression(*zip(*totals, strict=True)).slope,
        typical=_typical_slope(totals),
        steepest=max(map(_typical_slope, lasting), default=0.0),
        processes=len(by_process),
    )


def _typical_slope(points: list[tuple[float, float]]) -> float:
    """Return the median slope a minute between any two points (Theil and Sen)."""
    pairs = itertools.combinations(points, 2)
    return 60 * median((last - first) / (then - at) for (at, first), (then, last) in pairs)
