"""The regret of the switch on two hosts: web, evaluator and a cluster on the first, a cluster alone on the second.

The hosts are network namespaces with host names, joined by a cable, and each has one core. PostgreSQL and the clients
run on the first without a bound to its core, and both hosts use one data folder.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from statistics import median
from typing import TYPE_CHECKING

import psycopg

from bench import regret
from bench.clients import Bench
from bench.queue import Place, place
from bench.regret import PLANS, Figures
from bench.report import Row
from bench.server import Server, evaluator, running, workers

if TYPE_CHECKING:
    from tests.acceptance.hosts import Hosts

FIRST, SECOND = "first", "second"
LOADS = {"0.8": 0.8, "0.95": 0.95, "1.5": 1.5}  # of what the first host does inline; both do twice as much
ABOVE_ONE_HOST = "1.5"
# A third is more than the first host can make; it catches up with some when no more PDFs come.
MIN_SHARE = 0.25
SECONDS = 40.0
# The processes of a host see all cores of the machine, however few they are bound to.
ONE_CORE = {"SPMS_RENDER_SLOTS": "1", "SPMS_QUEUE_WORKERS": "1"}
COMMAND = 'sudo make bench ARGS="--only hosts"'
COUNT_OF_SECOND = "SELECT count(*) FROM documents_task WHERE status = 'succeeded' AND worker LIKE 'second:%'"


class Machines:
    """What to put before a command to run it on the first or the second host, bound to the core of that host."""

    def __init__(self, hosts: "Hosts", cores: Mapping[str, int]) -> None:
        self._hosts, self._cores = hosts, cores

    def on(self, name: str) -> list[str]:
        """Return that for the host of this name."""
        return ["taskset", "--cpu-list", str(self._cores[name]), *self._hosts.on(name)]

    @contextlib.contextmanager
    def start(self, here: Place, environment: dict[str, str]) -> Iterator[Server]:
        """Run all processes of both hosts."""
        with (
            workers(here.folder, environment, on=self.on(FIRST)),
            workers(here.folder, environment, on=self.on(SECOND)),
            running(here.folder, on=self.on(FIRST), **environment) as server,
            evaluator(here.folder, environment, on=self.on(FIRST)),
        ):
            yield server


def hosts(bench: Bench) -> Iterator[Row]:
    """Measure each load in each mode, with long polls as documented."""
    seconds = SECONDS / 4 if bench.is_quick else SECONDS
    with two_hosts() as (machines, here):
        a_second = regret.capacity(here, on=machines.on(FIRST))
        yield Row(
            criterion="two hosts: PDFs of three pages a second, inline on the first",
            measured=f"{a_second:.2f}",
        )
        for name, share in LOADS.items():
            yield from measure(machines, here, name, share * a_second, seconds, is_quick=bench.is_quick)


@contextlib.contextmanager
def two_hosts() -> Iterator[tuple[Machines, Place]]:
    """Make the hosts, with plans in a PostgreSQL on the first; remove everything afterwards."""
    from tests.acceptance.hosts import FIRST as ADDRESS, PostgresOn

    with _namespaces() as made, made.seen_from(FIRST):
        machines = Machines(made, _cores())
        with place("PostgreSQL", PLANS, postgres=PostgresOn(ADDRESS)) as here:
            here.environment.update(ONE_CORE)
            yield machines, here


@contextlib.contextmanager
def _namespaces() -> "Iterator[Hosts]":
    from tests.acceptance.hosts import Hosts, HostsUnavailable

    try:
        made = Hosts()
    except HostsUnavailable as reason:
        raise SystemExit(f"bench: {reason} ({COMMAND})") from reason
    try:
        yield made
    finally:
        made.remove()


def _cores() -> dict[str, int]:
    """Return the core of each host."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("bench: two hosts need a machine with two cores; this process may use one only")
    return dict(zip((FIRST, SECOND), cores, strict=False))


def measure(
    machines: Machines, here: Place, name: str, a_second: float, seconds: float, *, is_quick: bool
) -> Iterator[Row]:
    """Measure a load of so many PDFs a second; the modes take turns."""
    pdfs_at, shares = regret.arrivals(a_second, seconds), []

    def run(mode: str) -> Figures:
        before = _count_of_second(here)
        figures = regret.run(here, mode, pdfs_at, seconds, start=machines.start)
        if mode == "auto":
            shares.append((_count_of_second(here) - before) / max(1, figures.pdfs))
        return figures

    yield from regret.rows(f"{name} of one host", regret.in_turns(run, is_quick=is_quick))
    yield _share_row(name, median(shares))


def _share_row(name: str, share: float) -> Row:
    is_above = name == ABOVE_ONE_HOST
    return Row(
        criterion=f"load {name} of one host, auto: share of the PDFs that the second host made",
        goal=f"≥ {MIN_SHARE:.2f}" if is_above else "",
        measured=f"{share:.2f}",
        is_met=share >= MIN_SHARE if is_above else None,
    )


def _count_of_second(here: Place) -> int:
    with psycopg.connect(here.environment["DATABASE_URL"]) as connection:
        row = connection.execute(COUNT_OF_SECOND).fetchone()
        return int(row[0]) if row else 0
