"""The regret of the switch: ``auto`` beside the better of ``inline`` and ``queue``, under arrivals that do not wait.

Poisson arrivals from a seed, the same in each mode: forced PDFs of three pages at a share of what two rendering
processes can do, and eight document reads a second. The modes take turns, and the figures are medians of their runs.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from random import Random
from statistics import median, quantiles

from bench import predictions
from bench.arrivals import OpenLoad, Seen
from bench.clients import Bench, render_two_at_once
from bench.ports import free_port
from bench.predictions import MAX_REGRET, Render
from bench.queue import Place, place
from bench.report import Row, milliseconds
from bench.server import ROOT, Server, evaluator, running, started, wait_until_ready, workers

PLANS = 80
LOADS = {"0.4": 0.4, "0.8": 0.8, "0.95": 0.95, "1.2": 1.2}
BURST = "0.3 and 40 PDFs at once"
READS_A_SECOND = 8.0
SECONDS = 60.0
ROUNDS = 3  # in turns: equal runs near the capacity differ by a factor of two
SEED = 7
MODES = ("inline", "queue", "auto")
MAX_READ_SECONDS = 0.1

# Starts web, workers and evaluator on one database, with the environment of a mode.
type Start = Callable[[Place, dict[str, str]], contextlib.AbstractContextManager[Server]]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What the clients of one mode saw: percentiles in seconds, and how many requests were refused or failed."""

    pdf_p50: float
    pdf_p95: float
    read_p95: float
    pdfs: int
    inline: int
    refused: int
    faults: tuple[str, ...]
    renders: list[Render]


def regret(bench: Bench) -> Iterator[Row]:
    """Measure each load in each mode, with long polls as documented, then the ways to wait beside each other."""
    seconds = SECONDS / 4 if bench.is_quick else SECONDS
    with place("SQLite", PLANS) as here:
        a_second = capacity(here)
        yield Row(criterion="PDFs of three pages a second, two at once", measured=f"{a_second:.2f}")
        loads = {name: arrivals(share * a_second, seconds) for name, share in LOADS.items()}
        loads[BURST] = sorted([*arrivals(0.3 * a_second, seconds), *[seconds / 4] * 40])
        runs = {}
        for name, pdfs_at in loads.items():
            figures = in_turns(partial(run, here, pdfs_at=pdfs_at, seconds=seconds), is_quick=bench.is_quick)
            yield from rows(name, figures)
            runs[name] = {mode: figures[mode].renders for mode in ("inline", "auto")}
            yield from predictions.rows(name, runs[name])
        if not bench.is_quick:
            predictions.record(runs)
        for waiting in ("poll", "events"):
            yield _way_row(waiting, run(here, "auto", loads["0.8"], seconds, waiting))


def in_turns(run_mode: Callable[[str], Figures], *, is_quick: bool) -> dict[str, Figures]:
    """Run the modes in turns, and return the median figures of each."""
    rounds = [{mode: run_mode(mode) for mode in MODES} for _ in range(1 if is_quick else ROUNDS)]
    return {mode: _median([figures_of[mode] for figures_of in rounds]) for mode in MODES}


def capacity(here: Place, *, on: Sequence[str] = ()) -> float:
    """Return how many PDFs a second two clients get inline that ask without a pause.

    ``on`` is put before the command of the server.
    """
    with running(here.folder, on=on, **here.environment, SPMS_MODE="inline") as server:
        client = server.session(here.token)
        addresses = [f"{server.url}/api/v1/documents/{plan}/pdf/" for plan in here.plans[:40]]
        render_two_at_once(client, addresses[:4])
        return len(addresses) / render_two_at_once(client, addresses)


def arrivals(a_second: float, seconds: float) -> list[float]:
    """Return Poisson arrivals, from the seed and the rate alone."""
    random, now, times = Random(f"{SEED}:{a_second}"), 0.0, []
    while (now := now + random.expovariate(a_second)) < seconds:
        times.append(now)
    return times


@contextlib.contextmanager
def _one_host(here: Place, environment: dict[str, str]) -> Iterator[Server]:
    """Run the processes of ``make run``."""
    # The workers first, as a server that only queues is not ready without them.
    with (
        workers(here.folder, environment),
        running(here.folder, **environment) as server,
        evaluator(here.folder, environment),
    ):
        yield server


def run(
    here: Place,
    mode: str,
    pdfs_at: list[float],
    seconds: float,
    waiting: str = "wait",
    *,
    start: Start = _one_host,
) -> Figures:
    """Start the processes, send the load, and return what its clients saw."""
    environment = here.environment | {"SPMS_MODE": mode}
    _forget_past(environment)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(start(here, environment))
        events_url = stack.enter_context(_streams(here, environment)) if waiting == "events" else ""
        load = OpenLoad(
            url=server.url,
            token=here.token,
            documents=here.plans,
            pdfs_at=pdfs_at,
            reads_at=arrivals(READS_A_SECOND, seconds),
            waiting=waiting,
            events_url=events_url,
        )
        command = [sys.executable, "-m", "bench.arrivals"]
        written = subprocess.run(
            command, cwd=ROOT, input=json.dumps(asdict(load)), stdout=subprocess.PIPE, text=True, check=True
        )
    return _figures(Seen(**json.loads(written.stdout)))


def _forget_past(environment: dict[str, str]) -> None:
    """Have the next run begin inline, whatever the one before has led to."""
    script = (
        "from metrics.models import Evaluation, ModeState, Snapshot\n"
        "for model in (Evaluation, ModeState, Snapshot): model.objects.all().delete()"
    )
    command = [sys.executable, "manage.py", "shell", "-v", "0", "-c", script]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True)


@contextlib.contextmanager
def _streams(here: Place, environment: dict[str, str]) -> Iterator[str]:
    """Run a server of event streams; yields its address."""
    port = free_port()
    url, log = f"http://127.0.0.1:{port}", here.folder / f"events-{port}.log"
    command = [sys.executable, "-m", "uvicorn", "spms.asgi:application", "--port", str(port)]
    with started(command, log, environment) as process:
        wait_until_ready(process, url, log)
        yield url


def _figures(seen: Seen) -> Figures:
    return Figures(
        pdf_p50=_percentile(seen.pdf_seconds, 50),
        pdf_p95=_percentile(seen.pdf_seconds, 95),
        read_p95=_percentile(seen.read_seconds, 95),
        pdfs=len(seen.pdf_seconds),
        inline=seen.inline,
        refused=seen.refused,
        faults=tuple(seen.faults),
        renders=seen.renders,
    )


def _median(runs: list[Figures]) -> Figures:
    """Return the median of each figure, the faults of all runs, and the renders of the one in the middle."""
    middle = sorted(runs, key=lambda run: run.pdf_p95)[len(runs) // 2]
    return replace(
        middle,
        pdf_p50=median(run.pdf_p50 for run in runs),
        read_p95=median(run.read_p95 for run in runs),
        refused=round(median(run.refused for run in runs)),
        faults=tuple(fault for run in runs for fault in run.faults),
    )


def _percentile(seconds: list[float], percent: int) -> float:
    if len(seconds) < 2:
        return float("inf")
    return quantiles(seconds, n=100, method="inclusive")[percent - 1]


def rows(name: str, figures: dict[str, Figures]) -> Iterator[Row]:
    """Return the rows of a load, with ``auto`` beside the better of the other two in each column."""
    for mode in ("inline", "queue"):
        yield Row(criterion=_criterion(name, mode), measured=_text(figures[mode]))
    auto, others = figures["auto"], (figures["inline"], figures["queue"])
    worst = max(
        getattr(auto, column) / min(getattr(other, column) for other in others)
        for column in ("pdf_p50", "pdf_p95", "read_p95")
    )
    is_lost = bool(auto.faults or (auto.refused and name not in {"0.95", "1.2"}))
    yield Row(
        criterion=_criterion(name, "auto"),
        goal=f"≤ {MAX_REGRET} × the better one in each column; reads ≤ 100 ms",
        measured=f"{_text(auto)}; {worst:.2f} ×",
        is_met=worst <= MAX_REGRET and auto.read_p95 <= MAX_READ_SECONDS and not is_lost,
    )


def _way_row(waiting: str, figures: Figures) -> Row:
    return Row(criterion=_criterion("0.8", f"auto, clients that use {waiting}"), measured=_text(figures))


def _criterion(name: str, mode: str) -> str:
    return f"load {name}, {mode}: PDF in hand p50, p95; reads p95"


def _text(figures: Figures) -> str:
    faults = f", {len(figures.faults)} failed ({figures.faults[0]})" if figures.faults else ""
    return (
        f"{figures.pdf_p50:.1f} s, {figures.pdf_p95:.1f} s; {milliseconds(figures.read_p95)} "
        f"({figures.pdfs} PDFs, {figures.inline} inline, {figures.refused} refused{faults})"
    )
