"""The shadow of two hosts is near the truth.

``two_hosts.csv`` was recorded on two running web processes, each with a host name and one render slot of its own, on
one SQLite file: inline PDFs from an open loop of Poisson arrivals, sent to the hosts in turn, on a machine that grew
busier.
"""

import csv
import random
from pathlib import Path
from statistics import mean

import pytest

from metrics.decisions.hosts import WebReport, add_up, inline_server
from metrics.decisions.inline_model import Arrival, simulate
from metrics.decisions.statistics import quantile_of

RECORDED = Path(__file__).parent / "two_hosts.csv"
NEAR = 0.15


def shadow(work, hosts):
    server = inline_server(
        add_up([WebReport(host=host, threads=32, render_slots=1) for host in hosts], []),
        deadline_seconds=30.0,
    )
    assert server is not None
    simulated = simulate(work, server)
    assert simulated is not None
    return simulated


@pytest.fixture(scope="module")
def recorded():
    with RECORDED.open() as rows:
        return list(csv.DictReader(rows))


@pytest.fixture(scope="module")
def work(recorded):
    return [Arrival(float(row["arrived_at"]), float(row["service_seconds"]), True) for row in recorded]


def test_the_shadow_of_recorded_rows_is_near_what_they_took(recorded, work):
    hosts = {row["host"] for row in recorded}
    took = [float(row["ready_seconds"]) for row in recorded]
    simulated = shadow(work, hosts)
    assert len(hosts) == 2
    assert simulated.p95_seconds == pytest.approx(quantile_of(took, 0.95), rel=NEAR)
    assert simulated.mean_seconds == pytest.approx(mean(took), rel=NEAR)


def test_the_settings_of_one_host_would_not_have_been_near(recorded, work):
    took = quantile_of([float(row["ready_seconds"]) for row in recorded], 0.95)
    assert took is not None
    assert shadow(work, ["first"]).p95_seconds > 3 * took


def took_on_hosts_in_turn(work):
    """Return the seconds that each of two hosts with one slot takes, sent to in turn, first come, first served."""
    took = []
    for share in (work[::2], work[1::2]):
        free_at = 0.0
        for arrival in share:
            free_at = max(free_at, arrival.arrived_at) + arrival.service_seconds
            took.append(free_at - arrival.arrived_at)
    return took


@pytest.mark.parametrize("load", [0.4, 0.6, 0.75, 0.85])
def test_249_pdfs_on_hosts_that_take_turns_are_near_one_server_with_both_slots(load):
    ratios = []
    for seed in range(10):
        draw = random.Random(seed)
        arrived_at, work = 0.0, []
        for _ in range(249):
            arrived_at += draw.expovariate(load * 2 / 0.6)
            work.append(Arrival(arrived_at, draw.uniform(0.3, 0.9), True))
        truth = quantile_of(took_on_hosts_in_turn(work), 0.95)
        assert truth is not None
        ratios.append(shadow(work, ["first", "second"]).p95_seconds / truth)
    assert mean(ratios) == pytest.approx(1.0, abs=NEAR)
