"""The measurement of memory: whether the web process grows with the size of the document."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import requests

from bench.clients import Bench, render
from bench.report import Row
from bench.server import running

MEGABYTE = 1e6
LIMITS = {"SPMS_INLINE_DEADLINE": "300s", "SPMS_RENDER_TIMEOUT": "300s", "SPMS_RENDER_MEMORY_LIMIT": "3G"}
WARM_UP = 10


def memory(bench: Bench) -> Iterator[Row]:
    """Measure the peak of the web process with a short plan and with a report of hundreds of pages."""
    criterion = "peak memory of the web process, rendering and sending "
    if bench.is_quick or not Path("/proc/self/clear_refs").exists():
        yield Row(criterion=f"{criterion}400 pages", measured="not measured (--quick, or not Linux)")
        return
    with running(bench.folder, **LIMITS) as server:
        large = Bench(server=server, documents=bench.documents, folder=bench.folder, is_quick=False)
        client, short = large.client(), large.address(large.documents.short)
        # Memory that a kind of document needs once (its templates), or that the allocator retains, does not count.
        for document in (large.documents.annual_short, *[large.documents.short] * WARM_UP):
            _render_and_get(client, large.address(document))
        reset_peak(server.worker)
        for _ in range(3):
            _render_and_get(client, short)
        before = peak_bytes(server.worker)
        reset_peak(server.worker)
        with _largest_child(server.worker) as peaks:
            facts = _render_and_get(client, large.address(large.documents.annual))
        child = f"{max(peaks) / MEGABYTE:.0f} MB, {facts['seconds']:.1f} s"
        growth = (peak_bytes(server.worker) - before) / MEGABYTE
    yield Row(
        criterion=f"{criterion}{facts['pages']} pages compared with 3",
        goal="grows ≤ 5 MB",
        measured=f"{growth:+.1f} MB on {before / MEGABYTE:.0f} MB (the rendering process: {child}; "
        f"a PDF of {facts['bytes'] / MEGABYTE:.1f} MB)",
        is_met=growth <= 5,
    )


def _render_and_get(client: requests.Session, address: str) -> dict[str, float]:
    facts = render(client, address)
    with client.get(address, timeout=60, stream=True) as answer:
        answer.raise_for_status()
        size = sum(map(len, answer.iter_content(1_000_000)))
    assert size == facts["bytes"], (size, facts)
    return facts


def reset_peak(process: psutil.Process) -> None:
    """Reset the peak to what is resident now."""
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")


def peak_bytes(process: psutil.Process) -> int:
    """Return the peak resident memory of a process since the last reset."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


@contextlib.contextmanager
def _largest_child(worker: psutil.Process) -> Iterator[list[int]]:
    """Collect the peaks of the rendering processes."""
    peaks, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.2):
            with contextlib.suppress(psutil.Error, OSError):
                peaks.append(max(peak_bytes(child) for child in worker.children()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        stop.set()
        watcher.join()
