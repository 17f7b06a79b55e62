"""The measurements of the switch: what measuring costs, what an evaluation costs, and days of traffic."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.urls import resolve

from bench import traffic
from bench.clients import Bench
from bench.report import Row
from bench.server import ROOT
from metrics.decisions import limits_file, replay

CALLS = 20_000
MAX_REPLAY_SECONDS = 60
DAYS = {
    "quiet": "a quiet day",
    "normal": "office hours at half of the machine's capacity",
    "burst": "three times the PDFs for an hour",
    "leak": "renders that slow down all day, to four times",
    "outlier": "a quiet day with one render of 60 s at night",
    "overload": "overload from nine to five",
    "slow": "renders four times as slow for three hours",
    "hovering": "a load at the limit from seven to seven",
}


def switch(bench: Bench) -> Iterator[Row]:
    """Measure the middleware, an evaluation after a million requests, a replayed day, and every shape of day."""
    yield _middleware()
    yield _evaluation(bench)
    yield from _days(bench)


def _middleware() -> Row:
    """Measure the time that the middleware adds to a request, and that of django-prometheus' pair."""
    from django_prometheus.middleware import PrometheusAfterMiddleware, PrometheusBeforeMiddleware

    from metrics.middleware import MetricsMiddleware

    answer = HttpResponse()
    ours = MetricsMiddleware(lambda _: answer)
    theirs = PrometheusBeforeMiddleware(PrometheusAfterMiddleware(lambda _: answer))
    rounds = [(_microseconds(ours), _microseconds(theirs), _microseconds(lambda _: answer)) for _ in range(7)]
    added = median(own - bare for own, _, bare in rounds)
    pair = median(other - bare for _, other, bare in rounds)
    return Row(
        criterion="time that the middleware adds to a request, compared with django-prometheus' pair",
        goal="≤ 10 µs, a fifth",
        measured=f"{added:.1f} µs, {added / pair:.2f} of {pair:.0f} µs",
        is_met=added <= 10 and added / pair <= 0.2,
    )


def _microseconds(call: Callable[[HttpRequest], object]) -> float:
    request = RequestFactory().get("/api/v1/documents/7/")
    request.resolver_match = resolve("/api/v1/documents/7/")
    started = time.perf_counter()
    for _ in range(CALLS):
        call(request)
    return (time.perf_counter() - started) / CALLS * 1e6


def _evaluation(bench: Bench) -> Row:
    """Measure a tick after a million observed requests."""
    script = """
import random, time, statistics
from metrics import instruments
from metrics.evaluation import evaluator
label = instruments.REQUEST_SECONDS.labels
timers = [label(method, f"api/v1/{route}/", "2xx") for method in ("GET", "POST") for route in range(30)]
for number in range(1_000_000):
    timers[number % 60].observe(random.expovariate(4))
taken = []
for number in range(40):
    begun = time.perf_counter()
    evaluator.tick(evaluator.source(), now=time.time() + 15 * number)
    taken.append(time.perf_counter() - begun)
print(statistics.median(taken))
"""
    command = [sys.executable, "manage.py", "shell", "-v", "0", "-c", script]
    printed = subprocess.run(
        command, cwd=ROOT, env=os.environ, check=True, capture_output=True, text=True
    ).stdout
    seconds = float(printed.strip().splitlines()[-1])
    return Row(
        criterion="an evaluation after 1,000,000 observed requests in 60 label sets",
        goal="≤ 50 ms",
        measured=f"{seconds * 1000:.0f} ms",
        is_met=seconds <= 0.05,
    )


def _days(bench: Bench) -> Iterator[Row]:
    """Replay each shape of day with one seed or three; a row shows the worst of them."""
    limits = limits_file.load(Path(ROOT / "thresholds.yaml"))
    site = replay.Site(web_threads=4, queue_workers=2, inline_slots=2, deadline_seconds=30.0)
    slowest = 0.0
    for shape, make in traffic.SHAPES.items():
        results = []
        for seed in range(1, 2 if bench.is_quick else 4):
            work, begun = make(seed), time.perf_counter()
            results.append(replay.replay(work, limits, site))
            slowest = max(slowest, (time.perf_counter() - begun) / len(work) * 50_000)
        yield _day(shape, results)
    yield Row(
        criterion="replaying 50,000 requests, the slowest day",
        goal=f"≤ {MAX_REPLAY_SECONDS} s",
        measured=f"{slowest:.0f} s",
        is_met=slowest <= MAX_REPLAY_SECONDS,
    )


def _day(shape: str, results: list[replay.Report]) -> Row:
    switches = max(result.switches for result in results)
    late = max(result.timeouts_in_queue_mode for result in results)
    needless = max(result.needless_queue_hours for result in results)
    max_switches = 0 if shape in {"quiet", "outlier"} else 4
    max_hours = 0.5 if shape in {"quiet", "outlier", "burst"} else 4.0
    return Row(
        criterion=f"{DAYS[shape]}: switches, timeouts in queue mode, needless hours in the queue",
        goal=f"{'≤ ' * bool(max_switches)}{max_switches}, 0, ≤ {max_hours:g} h",
        measured=f"{switches}, {late}, {needless:.2f} h",
        is_met=switches <= max_switches and late == 0 and needless <= max_hours,
    )
