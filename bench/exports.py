"""The measurement of exports: how fast many rows are written, and whether the memory of the process grows with them."""

import time
from collections.abc import Iterator, Mapping
from itertools import batched
from random import Random

import requests

from bench import data
from bench.clients import Bench
from bench.memory import LIMITS, MEGABYTE, peak_bytes, reset_peak
from bench.report import Row
from bench.server import running
from documents.models import BusinessArea, Document, Project, document_types

ROWS, FEW_ROWS = 100_000, 1_000
RESOURCES = {"projects": "projects", "documents": "documents with 1.3 kB of text each"}
FORMATS = {"csv": "CSV", "xlsx": "XLSX", "jsonl": "JSON Lines"}
FIRST_YEAR = 1990
WORDS_PER_SECTION = 45


def exports(bench: Bench) -> Iterator[Row]:
    """Measure exports of projects and of documents with 1.3 kB of text each, in the web process."""
    rows = ROWS // 10 if bench.is_quick else ROWS
    _fill(rows)
    with running(bench.folder, **LIMITS) as server:
        client, address = server.session(bench.documents.token), f"{server.url}/api/v1/exports/"
        for what in RESOURCES:
            for name in FORMATS:
                spec = {"what": what, "format": name}
                _export(client, address, spec | {"filters": {"year": FIRST_YEAR}})  # warm
                reset_peak(server.worker)
                _export(client, address, spec | {"filters": {"year": FIRST_YEAR + 1}})
                before = peak_bytes(server.worker)
                reset_peak(server.worker)
                facts = _export(client, address, spec)
                yield _row(spec, facts, peak_bytes(server.worker) - before)


def _row(spec: dict[str, str], facts: dict[str, float], growth_bytes: int) -> Row:
    rows = int(facts["rows"])
    return Row(
        criterion=f"export of {rows:,} {RESOURCES[spec['what']]} as {FORMATS[spec['format']]}: "
        f"peak memory compared with {FEW_ROWS:,} rows",
        goal="grows ≤ 20 MB",
        measured=f"{growth_bytes / MEGABYTE:+.1f} MB; {facts['seconds']:.1f} s; "
        f"a file of {facts['bytes'] / MEGABYTE:.3g} MB",
        is_met=growth_bytes <= 20 * MEGABYTE,
    )


def _export(client: requests.Session, address: str, spec: Mapping[str, object]) -> dict[str, float]:
    begun_at = time.monotonic()
    answer = client.post(address, json=spec, timeout=600)
    if answer.status_code != 201:
        raise SystemExit(f"bench: {address} answered {answer.status_code}: {answer.text[:300]}")
    facts: dict[str, float] = answer.json()["result"]
    return facts | {"seconds": time.monotonic() - begun_at}


def _fill(rows: int) -> None:
    """Store this number of projects, a thousand a year, each with a report."""
    area, random = BusinessArea.objects.create(name="Exported"), Random(7)
    keys = document_types.PROGRESS_REPORT.section_keys()
    texts = [data.text(random, 1, WORDS_PER_SECTION) for _ in range(100)]
    for numbers in batched(range(rows), FEW_ROWS):
        year = FIRST_YEAR + numbers[0] // FEW_ROWS
        projects = Project.objects.bulk_create(
            Project(
                title=f"Bay {number}", tag=f"EX-{year}-{number % 1000:03d}", year=year, business_area=area
            )
            for number in numbers
        )
        Document.objects.bulk_create(
            Document(
                project=project, kind="progress_report", year=year, sections=_sections(keys, texts, random)
            )
            for project in projects
        )


def _sections(keys: list[str], texts: list[str], random: Random) -> dict[str, str]:
    return {key: random.choice(texts) for key in keys}
