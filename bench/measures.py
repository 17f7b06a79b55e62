"""The measurements of speed: from a running server and its documents to rows of the table."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from statistics import median

import requests

from bench.annual import annual_report
from bench.clients import FONTS, Bench, html_file, render, seconds
from bench.clusters import clusters
from bench.cycles import cycles
from bench.dashboard import dashboard
from bench.exports import exports
from bench.hosts import hosts
from bench.images import images
from bench.imports import imports
from bench.load import four_at_once, health_under_load
from bench.memory import memory
from bench.parts import parts
from bench.prerender import prerender
from bench.queue import engines, queue, status
from bench.regret import regret
from bench.report import Row, medians, milliseconds, ratio
from bench.server import bare_weasyprint
from bench.soak import soak
from bench.start import start
from bench.switch import switch
from bench.texts import texts
from bench.users import users
from bench.year import year


def against_bare(bench: Bench) -> Iterator[Row]:
    """Measure a forced POST and bare WeasyPrint with the same HTML, in turns."""
    yield _against_bare(bench, bench.documents.medium[0], goal=1.05, times=bench.times(15))
    yield _against_bare(bench, bench.documents.short, goal=0.80, times=bench.times(40))


def _against_bare(bench: Bench, document: int, *, goal: float, times: int) -> Row:
    html = html_file(bench.folder, document)
    client, address = bench.client(), bench.address(document)
    with bare_weasyprint(FONTS) as bare:
        for _ in range(2):  # warm
            _, bare_pages = bare(html)
            pages = render(client, address)["pages"]
        assert pages == bare_pages, f"not the same: {pages} pages, bare {bare_pages}"
        pairs = [(seconds(lambda: render(client, address)), bare(html)[0]) for _ in range(times)]
    return Row(
        criterion=f"`POST …/pdf/?force=true`, {pages} pages, time compared with a warm bare `write_pdf()`",
        goal=f"≤ {goal:.2f}",
        measured=f"{ratio(pairs):.2f} ({medians(pairs)})",
        is_met=ratio(pairs) <= goal,
    )


def against_cold(bench: Bench) -> Iterator[Row]:
    """Measure a forced POST and a new weasyprint process per request, in turns."""
    html = html_file(bench.folder, bench.documents.short)
    client, address = bench.client(), bench.address(bench.documents.short)
    command = [sys.executable, "-m", "weasyprint", str(html), str(html.with_suffix(".pdf"))]
    environment = {**os.environ, **FONTS}

    def cold() -> None:
        subprocess.run(command, env=environment, check=True)

    cold()
    pages = render(client, address)["pages"]
    pairs = [(seconds(cold), seconds(lambda: render(client, address))) for _ in range(bench.times(10))]
    yield Row(
        criterion=f"the same, {pages} pages, compared with a cold `weasyprint` process per request",
        goal="≥ 8 × faster",
        measured=f"{ratio(pairs):.1f} × ({medians(pairs)})",
        is_met=ratio(pairs) >= 8,
    )


def unchanged(bench: Bench) -> Iterator[Row]:
    """Measure requests for a PDF that exists: POST, GET and the conditional GET."""
    yield from _unchanged(bench, bench.documents.short, times=bench.times(20))
    yield from _unchanged(bench, bench.documents.medium[0], times=bench.times(10))


def _unchanged(bench: Bench, document: int, *, times: int) -> Iterator[Row]:
    client, address = bench.client(), bench.address(document)
    pages = render(client, address)["pages"]
    condition = {"If-None-Match": client.get(address, timeout=60).headers["ETag"]}
    calls: dict[str, Callable[[], requests.Response]] = {
        "`POST`, 200": lambda: client.post(address, timeout=60),
        "`GET`, 200": lambda: client.get(address, timeout=60),
        "`GET` with `If-None-Match`, 304": lambda: client.get(address, headers=condition, timeout=60),
    }
    rendering: list[float] = []
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(times):
        rendering.append(seconds(lambda: render(client, address)))
        condition["If-None-Match"] = client.get(address, timeout=60).headers["ETag"]
        for name, call in calls.items():
            assert call().status_code == int(name[-3:]), name
            taken[name] += [seconds(call) for _ in range(10)]
    slow = median(rendering)
    for name, figures in taken.items():
        fast = median(figures)
        yield Row(
            criterion=f"unchanged document, {pages} pages: {name}, p50",
            goal="≥ 30 × faster than rendering",
            measured=f"{slow / fast:.0f} × ({milliseconds(fast)} to {milliseconds(slow)})",
            is_met=slow / fast >= 30,
        )


MEASURES: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "bare": against_bare,
    "cold": against_cold,
    "unchanged": unchanged,
    "parallel": four_at_once,
    "health": health_under_load,
    "memory": memory,
    "annual": annual_report,
    "parts": parts,
    "engines": engines,
    "queue": queue,
    "status": status,
    "switch": switch,
    "dashboard": dashboard,
    "imports": imports,
    "start": start,
    "exports": exports,
    "regret": regret,
    "hosts": hosts,
    "prerender": prerender,
    "clusters": clusters,
    "year": year,
    "soak": soak,
    "users": users,
    "images": images,
    "cycles": cycles,
    "texts": texts,
}
