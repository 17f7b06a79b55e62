"""The measurement of imports: 20,000 documents validated, written, and sent a second time."""

import csv
import io
from collections.abc import Iterator
from random import Random
from typing import Any

import requests
import xlsxwriter

from bench.clients import Bench
from bench.data import text
from bench.memory import MEGABYTE, peak_bytes, reset_peak
from bench.report import Row
from bench.server import Server, running

LIMITS = {"SPMS_INLINE_DEADLINE": "300s", "SPMS_RENDER_TIMEOUT": "300s"}
# SQLite's timeout of other writers (spms/environment.py).
BUSY_TIMEOUT_SECONDS = 20
YEARS, PROJECTS, REPORTS = range(2000, 2020), 100, 10
PROJECT = ("tag", "title", "year", "business_area")
SECTIONS = ("context", "progress", "future")


def imports(bench: Bench) -> Iterator[Row]:
    """Measure a dry run and an import of new documents, as CSV, and the same documents again as XLSX."""
    projects = PROJECTS // 10 if bench.is_quick else PROJECTS
    tags = [f"IMP-{year}-{number:03d}" for year in YEARS for number in range(projects)]
    rows = list(_documents(tags))
    with running(bench.folder, **LIMITS) as server:
        client = server.session(bench.documents.token)
        _send(server, client, _csv([PROJECT, *map(_project, tags)]), what="projects", dry_run=False)
        before = peak_bytes(server.worker)
        reset_peak(server.worker)
        dry = _send(server, client, _csv(rows), dry_run=True)
        done = _send(server, client, _csv(rows), dry_run=False)
        peaks = [peak_bytes(server.worker)]
        reset_peak(server.worker)
        again = _send(server, client, _xlsx(rows), dry_run=False)
        peaks.append(peak_bytes(server.worker))
    assert (dry["new"], done["new"], again["unchanged"]) == (len(rows) - 1,) * 3, (dry, done, again)
    what = f"import of {len(rows) - 1:,} documents with three sections"
    yield Row(
        criterion=what,
        measured=f"dry run {dry['seconds']:.1f} s; import {done['seconds'] + done['write_seconds']:.1f} s; "
        f"the same as XLSX {again['seconds']:.1f} s",
    )
    yield Row(
        criterion=f"{what}: the write transaction",
        goal=f"≤ {BUSY_TIMEOUT_SECONDS} s",
        measured=f"{done['write_seconds']:.1f} s",
        is_met=done["write_seconds"] <= BUSY_TIMEOUT_SECONDS,
    )
    grown = [(peak - before) / MEGABYTE for peak in peaks]
    yield Row(
        criterion=f"{what}: peak memory of the web process",
        goal="grows ≤ 200 MB",
        measured=f"{grown[0]:+.0f} MB with CSV, {grown[1]:+.0f} MB with XLSX, on {before / MEGABYTE:.0f} MB",
        is_met=max(grown) <= 200,
    )


def _documents(tags: list[str]) -> Iterator[tuple[str, ...]]:
    random = Random(7)
    yield ("tag", "kind", "year", "status", *SECTIONS)
    for tag in tags:
        for year in range(2020, 2020 + REPORTS):
            yield (tag, "progress_report", str(year), "approved", *(text(random, 1, 60) for _ in SECTIONS))


def _project(tag: str) -> tuple[str, ...]:
    return (tag, f"Project {tag}", tag.split("-")[1], "Marine Science")


def _csv(rows: list[tuple[str, ...]]) -> bytes:
    stream = io.StringIO()
    csv.writer(stream).writerows(rows)
    return stream.getvalue().encode()


def _xlsx(rows: list[tuple[str, ...]]) -> bytes:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        page = book.add_worksheet()
        for number, row in enumerate(rows):
            page.write_row(number, 0, row)
    return stream.getvalue()


def _send(
    server: Server, client: requests.Session, content: bytes, *, what: str = "documents", dry_run: bool
) -> dict[str, Any]:
    """Return the facts of an import."""
    answer = client.post(
        f"{server.url}/api/v1/imports/",
        files={"file": ("data", content)},
        data={"what": what, "dry_run": str(dry_run).lower()},
        timeout=310,
    )
    assert answer.status_code == 201, answer.text[:500]
    facts: dict[str, Any] = answer.json()["result"]
    return facts
