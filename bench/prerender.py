"""PDFs made ahead: an office day and a deadline afternoon, with and without, under the same edits and requests.

The gaps between edits and the shorter ones before a request are real. A gap of more than a minute before a request
counts as a minute and a 240th of the rest, and nobody pauses: so the office is many times as dense as a real one.
"""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import accumulate
from random import Random
from statistics import quantiles

import psutil

from bench.clients import Bench
from bench.giving_way import giving_way
from bench.office import Author, OfficeLoad, OfficeSeen
from bench.queue import Place, place
from bench.report import Row, milliseconds
from bench.server import ROOT, Server, evaluator, running, workers
from metrics.decisions import metric_names

AUTHORS = 40
EDITS, EDIT_GAP_SECONDS = 6, (1.0, 5.0)
REAL_SECONDS, SHRINKING = 60.0, 240.0  # what is shortened: the rest of a longer gap
READS_A_SECOND, SEED = 4.0, 21
BUSY = "import time\nend = time.monotonic() + 3600\nwhile time.monotonic() < end: pass"


@dataclass(frozen=True, kw_only=True)
class Day:
    """The seconds in which all authors begin, the shortest and the longest gap before a request, and the goal."""

    name: str
    begin_seconds: float
    press_seconds: tuple[float, float]
    min_ready: float = 0.0


DAYS = (
    Day(name="an office day", begin_seconds=90.0, press_seconds=(20.0, 7200.0), min_ready=0.8),
    Day(name="a deadline afternoon", begin_seconds=60.0, press_seconds=(10.0, 90.0), min_ready=0.6),
)
BUSY_HOUR = Day(name="a busy hour", begin_seconds=60.0, press_seconds=(15.0, 30.0))


@dataclass(frozen=True, kw_only=True)
class Run:
    """What the authors saw, and the pre-renders by what became of them."""

    seen: OfficeSeen
    outcomes: dict[str, float]

    @property
    def ready_share(self) -> float:
        """The share of the requests that found their PDF."""
        return len(self.seen.ready_seconds) / max(1, len(self.all_seconds))

    @property
    def all_seconds(self) -> list[float]:
        """The seconds of all requests."""
        return self.seen.ready_seconds + self.seen.other_seconds


def prerender(bench: Bench) -> Iterator[Row]:
    """Measure both days with and without, and that nothing happens while the cores are busy."""
    with place("SQLite", AUTHORS) as here:
        for day in DAYS:
            authors = _authors(here, day, share=0.2 if bench.is_quick else 1.0)
            runs = {after: _run(here, authors, after) for after in ("off", "10s")}
            yield from _rows(day, without=runs["off"], ahead=runs["10s"])
        yield _busy_row(here)
        yield from giving_way(here, bench.times(20))


def _authors(here: Place, day: Day, share: float) -> list[Author]:
    """Return the same authors for the same day and share; ``share`` is that of the authors and of the time."""
    random = Random(f"{SEED} {day.name}")
    return [
        _author(random, plan, day.begin_seconds * share, day.press_seconds)
        for plan in here.plans[: round(AUTHORS * share)]
    ]


def _author(random: Random, plan: int, seconds: float, press_seconds: tuple[float, float]) -> Author:
    gaps = (random.uniform(*EDIT_GAP_SECONDS) for _ in range(EDITS - 1))
    edits_at = list(accumulate(gaps, initial=random.uniform(0, seconds)))
    shortest, longest = press_seconds
    gap_seconds = shortest * (longest / shortest) ** random.random()
    return Author(
        document=plan,
        edits_at=edits_at,
        press_at=edits_at[-1] + _shortened(gap_seconds),
    )


def _shortened(gap_seconds: float) -> float:
    return min(gap_seconds, REAL_SECONDS) + max(0.0, gap_seconds - REAL_SECONDS) / SHRINKING


def _run(here: Place, authors: list[Author], after: str) -> Run:
    """Start the processes of ``make run``, let the authors work, and return what they saw."""
    environment = here.environment | {"SPMS_MODE": "auto", "SPMS_PRERENDER_AFTER": after}
    with _site(here, environment) as server:
        before, seconds = _outcomes(server), max(author.press_at for author in authors)
        load = OfficeLoad(
            url=server.url,
            token=here.token,
            authors=authors,
            reads_at=[number / READS_A_SECOND for number in range(round(seconds * READS_A_SECOND))],
        )
        command = [sys.executable, "-m", "bench.office"]
        written = subprocess.run(
            command, cwd=ROOT, input=json.dumps(asdict(load)), stdout=subprocess.PIPE, text=True, check=True
        )
        after_all = _outcomes(server)
    return Run(
        seen=OfficeSeen(**json.loads(written.stdout)),
        outcomes={name: count - before.get(name, 0.0) for name, count in after_all.items()},
    )


@contextlib.contextmanager
def _site(here: Place, environment: dict[str, str]) -> Iterator[Server]:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(running(here.folder, **environment))
        stack.enter_context(workers(here.folder, environment))
        stack.enter_context(evaluator(here.folder, environment))
        yield server


def _outcomes(server: Server) -> dict[str, float]:
    """Return the pre-renders by what became of them, from ``/metrics``."""
    import requests

    lines = requests.get(f"{server.url}/metrics", timeout=30).text.splitlines()
    start = f'{metric_names.PRERENDERS}{{outcome="'
    counted = [line.removeprefix(start).split('"} ') for line in lines if line.startswith(start)]
    return {outcome: float(count) for outcome, count in counted}


def _rows(day: Day, *, without: Run, ahead: Run) -> Iterator[Row]:
    name = day.name
    faults = [*without.seen.faults, *ahead.seen.faults]
    yield Row(
        criterion=f"{name}: {len(ahead.all_seconds)} requests for changed documents, share answered from a ready PDF",
        goal=f"≥ {day.min_ready}; none fails",
        measured=f"{ahead.ready_share:.2f}; {len(faults)} failed {'; '.join(faults[:2])}",
        is_met=ahead.ready_share >= day.min_ready and not faults,
    )
    p50, before_p50 = _percentile(ahead.all_seconds, 50), _percentile(without.all_seconds, 50)
    yield Row(
        criterion=f"{name}: until the PDF is ready, p50 of all requests",
        goal="≤ 20 ms",
        measured=f"{milliseconds(p50)} (without: {milliseconds(before_p50)})",
        is_met=p50 <= 0.02,
    )
    yield _compared(
        f"{name}: requests whose PDF was not ready", ahead.seen.other_seconds, without.seen.other_seconds
    )
    yield _compared(f"{name}: reading documents", ahead.seen.read_seconds, without.seen.read_seconds)
    used, begun = ahead.outcomes.get("used", 0.0), sum(ahead.outcomes.values())
    counts = ", ".join(f"{count:.0f} {outcome}" for outcome, count in ahead.outcomes.items())
    yield Row(
        criterion=f"{name}: PDFs begun ahead for each one that was used",
        goal="≤ 2.5",
        measured=f"{begun / max(1.0, used):.2f} ({counts})",
        is_met=begun <= 2.5 * used,
    )


def _compared(name: str, ahead: list[float], without: list[float]) -> Row:
    p95, before = _percentile(ahead, 95), _percentile(without, 95)
    return Row(
        criterion=f"{name}, p95, compared with that without",
        goal="≤ 1.05 ×",
        measured=f"{p95 / before:.2f} × ({milliseconds(before)} to {milliseconds(p95)}; {len(ahead)} requests)"
        if ahead
        else "none",
        is_met=not ahead or p95 <= 1.05 * before,
    )


def _busy_row(here: Place) -> Row:
    """Let authors work while other programs keep the cores busy."""
    authors = _authors(here, BUSY_HOUR, share=0.1)
    programs = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(psutil.cpu_count() or 1)]
    try:
        busy = _run(here, authors, "10s")
    finally:
        for program in programs:
            program.kill()
            program.wait()
    begun = sum(busy.outcomes.values())
    return Row(
        criterion="PDFs made ahead while other programs keep all cores busy",
        goal="0",
        measured=f"{begun:.0f}, of {len(busy.all_seconds)} documents",
        is_met=begun == 0,
    )


def _percentile(seconds: list[float], percent: int) -> float:
    if len(seconds) < 2:
        return seconds[0] if seconds else 0.0
    return quantiles(seconds, n=100, method="inclusive")[percent - 1]
