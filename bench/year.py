"""How much disk a year takes: an agency of 1,000 people and 1,000 PDFs a day, simulated on PostgreSQL."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

from bench.clients import Bench, render
from bench.queue import place
from bench.report import Row
from bench.server import ROOT, running

DAYS, QUICK_DAYS = 365, 100
PEOPLE, DOCUMENTS = 1_000, 1_000


def year(bench: Bench) -> Iterator[Row]:
    """Measure the size of each table after a year, and the time that the nightly clean-up takes."""
    with place("PostgreSQL", DOCUMENTS, PEOPLE) as here:
        with running(here.folder, **here.environment, SPMS_MODE="inline") as server:
            client = server.session(here.token)
            pdf_bytes = [
                render(client, f"{server.url}/api/v1/documents/{plan}/pdf/")["bytes"]
                for plan in here.plans[:3]
            ]
        days = QUICK_DAYS if bench.is_quick else DAYS
        command = [sys.executable, "-m", "bench.simulated_year", str(days)]
        environment = {**os.environ, **here.environment, "DJANGO_SETTINGS_MODULE": "spms.settings"}
        simulated = subprocess.run(
            command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
    figures = json.loads(simulated.stdout)
    for name, size_bytes in figures["bytes"].items():
        rows = f"; {figures['rows'][name]:,} rows" if name in figures["rows"] else ""
        yield Row(criterion=f"{days} days: {name}", measured=f"{size_bytes / 1e6:,.0f} MB{rows}")
    yield Row(criterion="a PDF of 3 pages", measured=f"{sorted(pdf_bytes)[1] / 1e3:,.0f} kB")
    yield Row(criterion="the clean-up of the last night", measured=f"{figures['clean_up_seconds']:.1f} s")
