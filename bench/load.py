"""The measurements under load: several renders at once, and health checks during renders."""

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles

from bench.clients import FONTS, Bench, html_file, render, rendering_without_pause, seconds
from bench.report import Row, medians, milliseconds, ratio
from bench.server import bare_weasyprint

CHECKS_A_SECOND = 20

type Pair = Callable[[], tuple[float, float]]


def four_at_once(bench: Bench) -> Iterator[Row]:
    """Measure four documents at once and one after the other, and the most that this machine allows."""
    with ThreadPoolExecutor(4) as threads, _ours(bench, threads) as ours, _bare(bench, threads) as machine:
        pairs = [(ours(), machine()) for _ in range(bench.times(8))]
    own, bare = [pair for pair, _ in pairs], [pair for _, pair in pairs]
    yield Row(
        criterion="four documents of 13 pages at once, throughput compared with one after the other",
        goal="≥ 1.7 ×",
        measured=f"{ratio(own):.2f} × ({medians(own)}); two bare WeasyPrint processes on this machine: "
        f"{ratio(bare):.2f} ×",
        is_met=ratio(own) >= 1.7,
    )


@contextlib.contextmanager
def _ours(bench: Bench, threads: ThreadPoolExecutor) -> Iterator[Pair]:
    """Give a call that renders four documents in turn, then at once, and returns the seconds of both."""
    clients = [(bench.client(), bench.address(document)) for document in bench.documents.medium]

    def in_turn() -> None:
        for client, address in clients:
            render(client, address)

    def at_once() -> None:
        list(threads.map(lambda pair: render(*pair), clients))

    at_once()
    yield lambda: (seconds(in_turn), seconds(at_once))


@contextlib.contextmanager
def _bare(bench: Bench, threads: ThreadPoolExecutor) -> Iterator[Pair]:
    """Give the same for bare WeasyPrint: in one process, then shared between two."""
    files = [html_file(bench.folder, document) for document in bench.documents.medium]
    with bare_weasyprint(FONTS) as first, bare_weasyprint(FONTS) as second:

        def share(bare: Callable[[Path], object], own_files: list[Path]) -> None:
            for file in own_files:
                bare(file)

        def at_once() -> None:
            list(threads.map(share, (first, second), (files[:2], files[2:])))

        at_once()
        yield lambda: (seconds(lambda: share(first, files)), seconds(at_once))


def health_under_load(bench: Bench) -> Iterator[Row]:
    """Measure health checks, sent at fixed times, while renders keep the cores busy."""
    client, checks = bench.client(), []
    client.headers.clear()
    with rendering_without_pause(bench) as renders:
        due = time.perf_counter()
        for _ in range(bench.times(200)):
            time.sleep(max(0.0, due - time.perf_counter()))
            client.get(f"{bench.server.url}/healthz/live", timeout=10).raise_for_status()
            checks.append(time.perf_counter() - due)
            due += 1 / CHECKS_A_SECOND
        rendered = len(renders)
    p99 = quantiles(checks, n=100, method="inclusive")[98]
    yield Row(
        criterion=f"`/healthz/live`, {len(checks)} checks at {CHECKS_A_SECOND}/s, all cores rendering",
        goal="p99 ≤ 100 ms",
        measured=f"p99 {milliseconds(p99)}, p50 {milliseconds(median(checks))}, "
        f"slowest {milliseconds(max(checks))} ({rendered} renders during the checks)",
        is_met=p99 <= 0.1,
    )
