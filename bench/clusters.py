"""How many clusters one PostgreSQL bears: many of them here, with tasks that sleep instead of rendering."""

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median, quantiles

import psutil
import psycopg

from bench.clients import Bench
from bench.queue import Place, place
from bench.report import Row, milliseconds
from bench.server import cpu_seconds, started, workers
from bench.sleeper import SLEEP_SECONDS

WORKERS_EACH = 2  # ten clusters stay below PostgreSQL's usual 100 connections
PACE_PER_SECOND, PACED_TASKS = 8.0, 160
WAITING_TASKS = 600
MAX_SECONDS = 180.0
COUNT_ENDED = "SELECT count(*) FROM documents_task WHERE kind = 'sleep' AND status = 'succeeded'"
TIMES = """
SELECT extract(epoch FROM started_at - created_at), extract(epoch FROM started_at)
FROM documents_task WHERE kind = 'sleep' ORDER BY started_at
"""
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"


@dataclass(frozen=True, kw_only=True)
class _Load:
    """What a number of tasks cost: waits and starts in seconds, computing in seconds, peak of connections."""

    waited: list[float]
    started_at: list[float]
    database_seconds: float
    clusters_seconds: float
    connections: int


def clusters(bench: Bench) -> Iterator[Row]:
    """Measure the pick-up, the claims a second, the computing and the connections of few and many clusters."""
    for count in (1, 10):
        with place("PostgreSQL", 1) as here, contextlib.ExitStack() as stack:
            here.environment["DJANGO_SETTINGS_MODULE"] = "bench.sleeping"
            settings = here.environment | {"SPMS_QUEUE_WORKERS": str(WORKERS_EACH)}
            mains = [stack.enter_context(workers(here.folder, settings)) for _ in range(count)]
            title = f"{count} × {WORKERS_EACH} workers, tasks that sleep {SLEEP_SECONDS} s"
            yield _idle(title, here, mains)
            yield _paced(title, _run(here, mains, bench.times(PACED_TASKS), PACE_PER_SECOND))
            yield _drained(title, _run(here, mains, bench.times(WAITING_TASKS), 0))


def _idle(title: str, here: Place, mains: list[psutil.Process]) -> Row:
    time.sleep(5)
    families, begun_at = (_family(_servers(here)), _family(mains)), time.monotonic()
    before = [_used_seconds(family) for family in families]
    time.sleep(20)
    took = time.monotonic() - begun_at
    database, others = (
        (_used_seconds(family) - then) / took for family, then in zip(families, before, strict=True)
    )
    return Row(
        criterion=f"{title}: idle", measured=f"PostgreSQL {database:.1%}, clusters {others:.1%} of a core"
    )


def _paced(title: str, load: _Load) -> Row:
    p95 = quantiles(load.waited, n=20, method="inclusive")[18]
    return Row(
        criterion=f"{title}: {PACE_PER_SECOND:.0f} tasks a second, from the row to its claim",
        measured=f"p50 {milliseconds(median(load.waited))}, p95 {milliseconds(p95)}; {_costs(load)}",
    )


def _drained(title: str, load: _Load) -> Row:
    claims_per_second = (len(load.started_at) - 1) / (load.started_at[-1] - load.started_at[0])
    return Row(
        criterion=f"{title}: {len(load.started_at)} tasks submitted at once",
        measured=f"{claims_per_second:.0f} claims a second; {_costs(load)}",
    )


def _costs(load: _Load) -> str:
    count = len(load.started_at)
    return (
        f"computing per task: PostgreSQL {milliseconds(load.database_seconds / count)},"
        f" clusters {milliseconds(load.clusters_seconds / count)}; {load.connections} connections"
    )


def _run(here: Place, mains: list[psutil.Process], count: int, per_second: float) -> _Load:
    """Submit tasks and wait until all have ended."""
    with psycopg.connect(here.environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("DELETE FROM documents_task WHERE kind = 'sleep'")
        families = _family(_servers(here)), _family(mains)
        before = [_used_seconds(family) for family in families]
        command = [sys.executable, "-m", "bench.feeder", str(count), str(per_second)]
        with started(command, here.folder / "feeder.log", here.environment):
            peak = _wait_until_ended(connection, count)
        rows = connection.execute(TIMES).fetchall()
        # Connections that began during the load are new processes of PostgreSQL.
        database, others = (
            _used_seconds(_family(roots)) - then
            for roots, then in zip((_servers(here), mains), before, strict=True)
        )
    return _Load(
        waited=[float(waited) for waited, _ in rows],
        started_at=[float(started_at) for _, started_at in rows],
        database_seconds=database,
        clusters_seconds=others,
        connections=peak,
    )


def _wait_until_ended(connection: psycopg.Connection, count: int) -> int:
    """Return the peak of connections, but for that of this function."""
    peak, ends = 0, time.monotonic() + MAX_SECONDS
    while time.monotonic() < ends:
        peak = max(peak, _number(connection, CONNECTIONS) - 1)
        if _number(connection, COUNT_ENDED) >= count:
            return peak
        time.sleep(0.25)
    raise SystemExit(f"bench: the tasks did not end within {MAX_SECONDS:.0f} s")


def _number(connection: psycopg.Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0


def _servers(here: Place) -> list[psutil.Process]:
    return [psutil.Process(pid) for pid in here.server_pids]


def _family(roots: list[psutil.Process]) -> list[psutil.Process]:
    return [process for root in roots for process in (root, *root.children(recursive=True))]


def _used_seconds(family: list[psutil.Process]) -> float:
    return sum(map(cpu_seconds, family))
