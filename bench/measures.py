"""Each measurement: from a running server and its documents to rows of the table."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import psutil
import requests
from django.core.files.storage import default_storage

from bench.data import Documents
from bench.report import Row
from bench.server import ROOT, Server, running
from documents import content, pdf
from documents.rendering.pool import FONTS_CONF

MEGABYTE = 1e6
FONTS = {"FONTCONFIG_FILE": str(FONTS_CONF)}


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What every measurement gets; ``repetitions`` scales how often things are done."""

    server: Server
    documents: Documents
    folder: Path
    repetitions: int

    def client(self) -> requests.Session:
        """Return a signed-in client."""
        return self.server.session(self.documents.token)

    def address(self, document: int) -> str:
        """Return the address of a document's PDF."""
        return f"{self.server.url}/api/v1/documents/{document}/pdf/"


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def render(client: requests.Session, address: str) -> dict[str, float]:
    """Render a document anew and return the facts of its result."""
    answer = client.post(f"{address}?force=true", timeout=600)
    answer.raise_for_status()
    facts: dict[str, float] = answer.json()["result"]
    return facts


def against_bare(bench: Bench) -> Iterator[Row]:
    """Measure a forced POST beside bare WeasyPrint with the same HTML, in turns."""
    yield _against_bare(bench, bench.documents.medium[0], 1.05)
    yield _against_bare(bench, bench.documents.short, 0.80)


def _against_bare(bench: Bench, document: int, goal: float) -> Row:
    html = html_file(bench.folder, document)
    client, address = bench.client(), bench.address(document)
    ours, bare = [], []
    with bare_process() as bare_seconds:
        bare_seconds(html)
        pages = render(client, address)["pages"]
        for _ in range(bench.repetitions):
            bare.append(bare_seconds(html))
            ours.append(seconds(lambda: render(client, address)))
    ratio = median(ours) / median(bare)
    return Row(
        criterion=f"`POST …/pdf/`, {pages} pages, beside warm bare `write_pdf()`",
        goal=f"≤ {goal:.2f}",
        measured=f"{ratio:.2f} ({median(ours):.3f} s to {median(bare):.3f} s)",
        is_met=ratio <= goal,
    )


def against_cold(bench: Bench) -> Iterator[Row]:
    """Measure a forced POST beside a new weasyprint process for each request."""
    html = html_file(bench.folder, bench.documents.short)
    client, address = bench.client(), bench.address(bench.documents.short)
    command = [sys.executable, "-m", "weasyprint", str(html), str(html.with_suffix(".pdf"))]
    cold, ours = [], []
    for _ in range(max(3, bench.repetitions // 3)):
        cold.append(seconds(lambda: subprocess.run(command, env={**os.environ, **FONTS}, check=True)))
        ours.append(seconds(lambda: render(client, address)))
    ratio = median(cold) / median(ours)
    yield Row(
        criterion="the same, short plan, beside a cold `weasyprint` process for each request",
        goal="≥ 8 × faster",
        measured=f"{ratio:.1f} × ({median(cold):.2f} s to {median(ours):.3f} s)",
        is_met=ratio >= 8,
    )


def unchanged(bench: Bench) -> Iterator[Row]:
    """Measure what is there already: POST, GET and the conditional GET."""
    yield from _unchanged(bench, "short", bench.documents.short)
    yield from _unchanged(bench, "13 pages", bench.documents.medium[0])


def _unchanged(bench: Bench, name: str, document: int) -> Iterator[Row]:
    client, address = bench.client(), bench.address(document)
    rendering = median([seconds(lambda: render(client, address)) for _ in range(bench.repetitions)])
    known = {"If-None-Match": client.get(address, timeout=60).headers["ETag"]}
    calls: dict[str, Callable[[], requests.Response]] = {
        "POST, 200": lambda: client.post(address, timeout=60),
        "GET, 200": lambda: client.get(address, timeout=60),
        "GET, 304": lambda: client.get(address, headers=known, timeout=60),
    }
    for call_name, call in calls.items():
        assert call().status_code == int(call_name[-3:]), call_name
        taken = median([seconds(call) for _ in range(10 * bench.repetitions)])
        ratio = rendering / taken
        yield Row(
            criterion=f"unchanged document, {name}: {call_name}",
            goal="≥ 30 × faster than rendering",
            measured=f"{ratio:.0f} × ({taken * 1000:.1f} ms to {rendering * 1000:.0f} ms)",
            is_met=ratio >= 30,
        )


def four_at_once(bench: Bench) -> Iterator[Row]:
    """Measure four documents at once beside one after the other."""
    clients = [(bench.client(), bench.address(document)) for document in bench.documents.medium]

    def all_at_once() -> None:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda pair: render(*pair), clients))

    def one_by_one() -> None:
        for client, address in clients:
            render(client, address)

    all_at_once()
    pairs = [(seconds(one_by_one), seconds(all_at_once)) for _ in range(max(3, bench.repetitions // 3))]
    ratio = median([slow / fast for slow, fast in pairs])
    yield Row(
        criterion="four documents of 13 pages at once, throughput beside one after the other",
        goal="≥ 1.7 ×",
        measured=f"{ratio:.2f} ×",
        is_met=ratio >= 1.7,
    )


def health_under_load(bench: Bench) -> Iterator[Row]:
    """Measure a health check while renders keep the cores busy."""
    with rendering_without_pause(bench):
        checks = []
        for _ in range(20 * bench.repetitions):
            checks.append(seconds(lambda: requests.get(f"{bench.server.url}/healthz/live", timeout=10)))
            time.sleep(0.05)
    p99 = quantiles(checks, n=100)[98] * 1000
    yield Row(
        criterion=f"`/healthz/live` while renders keep all cores busy ({len(checks)} checks)",
        goal="p99 ≤ 100 ms",
        measured=f"p99 {p99:.0f} ms, p50 {median(checks) * 1000:.1f} ms",
        is_met=p99 <= 100,
    )


def memory(bench: Bench) -> Iterator[Row]:
    """Measure the peak memory of the web process with plans, and with a report of hundreds of pages."""
    limits = {"SPMS_INLINE_DEADLINE": "5m", "SPMS_RENDER_TIMEOUT": "5m", "SPMS_RENDER_MEMORY": "3G"}
    with running(**limits) as server:
        large = Bench(server=server, documents=bench.documents, folder=bench.folder, repetitions=1)
        client = large.client()
        for document in (*large.documents.medium, large.documents.short) * 3:
            render(client, large.address(document))
        before = peak_bytes(server.worker)
        with child_peak(server.worker) as peaks:
            facts = render(client, large.address(large.documents.annual))
        growth = (peak_bytes(server.worker) - before) / MEGABYTE
    yield Row(
        criterion=f"peak memory of the web process, a report of {facts['pages']} pages beside plans",
        goal="does not grow (≤ 5 MB)",
        measured=f"+{growth:.1f} MB on {before / MEGABYTE:.0f} MB "
        f"(the child: {max(peaks) / MEGABYTE:.0f} MB, {facts['seconds']:.0f} s)",
        is_met=growth <= 5,
    )


MEASURES: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "bare": against_bare,
    "cold": against_cold,
    "unchanged": unchanged,
    "parallel": four_at_once,
    "health": health_under_load,
    "memory": memory,
}


def html_file(folder: Path, document: int) -> Path:
    """Write the HTML that the server renders, with images as local files."""
    found = content.get(document)
    assert found is not None
    path = folder / f"{document}.html"
    draft = pdf.write_draft(found, path)
    html = path.read_text()
    for url, name in draft.images.items():
        html = html.replace(url, Path(default_storage.path(name)).as_uri())
    path.write_text(html)
    return path


@contextlib.contextmanager
def bare_process() -> Iterator[Callable[[Path], float]]:
    """Run WeasyPrint in a process of its own; call with a file to get the seconds of one render."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "bench.bare"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=pipe,
        stdout=pipe,
        text=True,
        env={**os.environ, **FONTS},
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def bare_seconds(html: Path) -> float:
        stdin.write(f"{html}\n")
        stdin.flush()
        return float(stdout.readline())

    try:
        yield bare_seconds
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def rendering_without_pause(bench: Bench) -> Iterator[None]:
    """Keep four clients rendering in the background."""
    stop = threading.Event()

    def work(document: int) -> None:
        client = bench.client()
        while not stop.is_set():
            render(client, bench.address(document))

    with ThreadPoolExecutor(4) as threads:
        for document in bench.documents.medium:
            threads.submit(work, document)
        time.sleep(1)
        try:
            yield
        finally:
            stop.set()


def peak_bytes(process: psutil.Process) -> int:
    """Return the peak resident memory of a process (Linux)."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


@contextlib.contextmanager
def child_peak(worker: psutil.Process) -> Iterator[list[int]]:
    """Collect the resident memory of the largest rendering process."""
    peaks, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.2):
            with contextlib.suppress(psutil.Error):
                peaks.append(max(child.memory_info().rss for child in worker.children()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        stop.set()
        watcher.join()
