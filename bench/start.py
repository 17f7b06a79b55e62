"""The measurement of the start: from the command to a ready server, and to a worker's heartbeat."""

import time
from collections.abc import Callable, Iterator
from statistics import median

from bench.clients import Bench
from bench.ports import free_port
from bench.report import Row, milliseconds
from bench.server import GUNICORN, QCLUSTER, started, wait_until_ready
from documents.models import Cluster

TIMES = 7
MAX_SECONDS = 5.0
POLL_INTERVAL_SECONDS = 0.02


def start(bench: Bench) -> Iterator[Row]:
    """Measure both, one after the other, on SQLite like ``make run``."""
    yield _row("`/healthz/ready` answers 200", [_web(bench) for _ in range(bench.times(TIMES))])
    yield _row("a cluster's first heartbeat", [_workers(bench) for _ in range(bench.times(TIMES))])


def _row(what: str, taken: list[float]) -> Row:
    return Row(
        criterion=f"from the command until {what}, median of {len(taken)}",
        goal=f"≤ {MAX_SECONDS:.0f} s",
        measured=f"{milliseconds(median(taken))} (slowest {milliseconds(max(taken))})",
        is_met=median(taken) <= MAX_SECONDS,
    )


def _web(bench: Bench) -> float:
    port, begun_at = free_port(), time.perf_counter()
    log = bench.folder / f"server-{port}.log"
    with started(GUNICORN, log, {"PORT": str(port)}) as process:
        wait_until_ready(process, f"http://127.0.0.1:{port}", log)
        return time.perf_counter() - begun_at


def _workers(bench: Bench) -> float:
    Cluster.objects.all().delete()
    begun_at = time.perf_counter()
    with started(QCLUSTER, bench.folder / "workers.log", {}):
        _wait(Cluster.objects.live().exists)
        return time.perf_counter() - begun_at


def _wait(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    give_up_at = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up_at:
            raise SystemExit(f"bench: no heartbeat came in {seconds:.0f} s")
        time.sleep(POLL_INTERVAL_SECONDS)
