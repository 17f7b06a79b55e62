"""A model of the inline server: how long the same work would have taken inline, and how much more would fit; pure.

The first-come-first-served recursion for several servers (Kiefer and Wolfowitz, 1955): a heap holds the
times at which the servers become free; each request starts at its arrival or when the first server is free. Each host
has heaps of its own: a request that waits on one host cannot use a free slot of another.
"""

import heapq
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from metrics.decisions.statistics import quantile_of

MAX_HEADROOM = 100.0


class Arrival(NamedTuple):
    """One request: when it arrived (seconds since 1970), the seconds it takes alone, and whether it renders a PDF.

    ``host`` is the name of the web host that served it, or empty if it is unknown or was none.
    """

    arrived_at: float
    service_seconds: float
    is_pdf: bool
    host: str = ""


class HostModel(NamedTuple):
    """One host of the inline server: its concurrent requests and renders."""

    name: str
    web_threads: int
    render_slots: int


@dataclass(frozen=True, kw_only=True)
class ServerModel:
    """The inline server: concurrent requests, concurrent renders, and the deadline of a request in seconds.

    ``hosts`` are its parts, if it has several.
    """

    web_threads: int
    render_slots: int
    deadline_seconds: float
    hosts: tuple[HostModel, ...] = ()

    def with_web_threads(self, web_threads: int) -> "ServerModel":
        """Return this server with another number of web threads, which its hosts share as they do now."""
        factor = web_threads / self.web_threads
        hosts = [host._replace(web_threads=max(1, round(host.web_threads * factor))) for host in self.hosts]
        return replace(self, web_threads=web_threads, hosts=tuple(hosts))


@dataclass(frozen=True, kw_only=True)
class SimulatedLatencies:
    """How long requests would have taken inline: p95, mean and all latencies in seconds, and how many timed out."""

    requests: int
    p95_seconds: float
    mean_seconds: float
    over_deadline: int
    latencies: tuple[float, ...]

    @property
    def timeout_rate(self) -> float:
        """The share of requests past the deadline."""
        return self.over_deadline / self.requests if self.requests else 0.0

    def value_of(self, name: str) -> float | None:
        """Return the value of a latency threshold by its name; None for any other threshold."""
        values = {
            "p95_response_time": self.p95_seconds,
            "average_response_time": self.mean_seconds,
            "request_timeout_rate": self.timeout_rate,
        }
        return values.get(name)

    def keeps(self, limits: Mapping[str, float]) -> bool:
        """Return True if no value is above the limit of its name."""
        values = ((self.value_of(name), limit) for name, limit in limits.items())
        return all(value is None or value <= limit for value, limit in values)

    def count_over(self, seconds: float) -> int:
        """Return how many requests would have taken longer."""
        return sum(latency > seconds for latency in self.latencies)


def latencies(work: Iterable[Arrival], machine: ServerModel) -> list[float]:
    """Return the latency of each request in seconds, in order of arrival.

    A render holds its web thread while it waits for one of the render slots. Requests of no known host go to the hosts
    in turn.
    """
    hosts = machine.hosts or (HostModel("", machine.web_threads, machine.render_slots),)
    free_at = {
        host.name: ([0.0] * host.web_threads, [0.0] * min(host.render_slots, host.web_threads))
        for host in hosts
    }
    turns = itertools.cycle(free_at.values())
    taken = []
    for arrived_at, service_seconds, is_pdf, host_name in work:
        threads, slots = free_at.get(host_name) or next(turns)
        start = max(arrived_at, threads[0])
        if is_pdf:
            start = max(start, slots[0])
            heapq.heapreplace(slots, start + service_seconds)
        heapq.heapreplace(threads, start + service_seconds)
        taken.append(start + service_seconds - arrived_at)
    return taken


def simulate(
    work: Sequence[Arrival], machine: ServerModel, *, since: float = float("-inf")
) -> SimulatedLatencies | None:
    """Return the latencies of the requests that arrived at ``since`` or later; None if there are none.

    ``since`` is on the clock of the arrivals. Earlier requests only keep the server busy.
    """
    taken = [
        latency
        for arrival, latency in zip(work, latencies(work, machine), strict=True)
        if arrival.arrived_at >= since
    ]
    p95 = quantile_of(taken, 0.95)
    if p95 is None:
        return None
    return SimulatedLatencies(
        requests=len(taken),
        p95_seconds=p95,
        mean_seconds=sum(taken) / len(taken),
        over_deadline=sum(latency > machine.deadline_seconds for latency in taken),
        latencies=tuple(taken),
    )


def scaled(work: Sequence[Arrival], *, traffic: float = 1.0, render_time: float = 1.0) -> list[Arrival]:
    """Return the same requests coming ``traffic`` times as fast, renders taking ``render_time`` times as long."""
    if not work:
        return []
    first = work[0].arrived_at
    return [
        Arrival(
            first + (arrival.arrived_at - first) / traffic,
            arrival.service_seconds * (render_time if arrival.is_pdf else 1.0),
            arrival.is_pdf,
            arrival.host,
        )
        for arrival in work
    ]


def headroom(
    work: Sequence[Arrival], machine: ServerModel, is_good: Callable[[SimulatedLatencies], bool]
) -> float | None:
    """Return the factor, 0 to 100, by which the traffic can grow while ``is_good`` is True; None without work."""
    if not work:
        return None

    def holds(traffic: float) -> bool:
        simulated = simulate(scaled(work, traffic=traffic), machine)
        return simulated is None or is_good(simulated)

    low, high = 0.0, MAX_HEADROOM
    if holds(high):
        return high
    for _ in range(12):
        middle = (low * high) ** 0.5 if low else high / 8
        low, high = (middle, high) if holds(middle) else (low, middle)
        if low and high / low < 1.03:
            break
    return low


def what_if(
    work: Sequence[Arrival],
    machine: ServerModel,
    *,
    traffic: float = 1.0,
    render_time: float = 1.0,
    web_threads: int | None = None,
) -> SimulatedLatencies | None:
    """Simulate the work with other traffic, slower renders or another number of web threads; None without work."""
    other = machine.with_web_threads(web_threads) if web_threads else machine
    return simulate(scaled(work, traffic=traffic, render_time=render_time), other)
