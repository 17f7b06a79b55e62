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
from metrics.decisions.inline_model import Arrival, ServerModel, simulate
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
    return [
        Arrival(float(row["arrived_at"]), float(row["service_seconds"]), True, row["host"])
        for row in recorded
    ]


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


def arrivals_at(load, draw):
    """Return 249 PDFs of known hosts, which a load balancer has sent to one or the other, whichever waits."""
    arrived_at, work = 0.0, []
    for _ in range(249):
        arrived_at += draw.expovariate(load * 2 / 0.6)
        work.append(Arrival(arrived_at, draw.uniform(0.3, 0.9), True, draw.choice(["first", "second"])))
    return work


def took_on_each(work):
    """Return the seconds that each PDF takes on its host with one slot, first come, first served."""
    free_at, took = {"first": 0.0, "second": 0.0}, []
    for arrival in work:
        free_at[arrival.host] = max(free_at[arrival.host], arrival.arrived_at) + arrival.service_seconds
        took.append(free_at[arrival.host] - arrival.arrived_at)
    return took


@pytest.mark.parametrize("load", [0.4, 0.6, 0.75, 0.85])
def test_each_pdf_waits_for_the_host_that_it_was_sent_to(load):
    ratios = []
    for seed in range(10):
        work = arrivals_at(load, random.Random(seed))
        truth = quantile_of(took_on_each(work), 0.95)
        assert truth is not None
        assert shadow(work, ["first", "second"]).p95_seconds == pytest.approx(truth)
        one_line = ServerModel(web_threads=64, render_slots=2, deadline_seconds=30.0)
        simulated = simulate(work, one_line)
        assert simulated is not None
        ratios.append(simulated.p95_seconds / truth)
    # What one line for the slots of both hosts would promise.
    assert mean(ratios) < 1 - NEAR
