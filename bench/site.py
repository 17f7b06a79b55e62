"""A whole site on PostgreSQL and the crowd that uses it: what the long loads have in common."""

import contextlib
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import psutil
import psycopg
import requests
from prometheus_client.parser import text_string_to_metric_families

from bench.crowd import Crowd, Report
from bench.queue import Place
from bench.server import ROOT, Server, evaluator, running, workers
from bench.watch import family, split
from tests.acceptance.chaos import COUNT, WATCH

DRAIN_SECONDS = 180.0
DEADLINE_SECONDS = 30.0
UNFINISHED = "SELECT count(*) FROM documents_task WHERE finished_at IS NULL"
ENDED = "SELECT id::text, status, mode FROM documents_task WHERE kind = 'pdf' AND finished_at IS NOT NULL"


@dataclass(frozen=True, kw_only=True)
class Site:
    """A web server, clusters and an evaluator on one database."""

    here: Place
    server: Server
    clusters: list[psutil.Process]
    evaluator: psutil.Process

    def roles(self) -> dict[str, list[psutil.Process]]:
        """Return the processes of each role at this moment."""
        web, web_renders = split(family(self.server.worker))
        workers, worker_renders = split([process for cluster in self.clusters for process in family(cluster)])
        database = [process for pid in self.here.server_pids for process in family(psutil.Process(pid))]
        return {
            "web": web,
            "evaluator": family(self.evaluator),
            "workers": workers,
            "rendering processes": web_renders + worker_renders,
            "PostgreSQL": database,
        }

    def crowd(self, *, seconds: float, think_seconds: tuple[float, float], mix: dict[str, int]) -> Report:
        """Let people use the site for so long, and wait until what they asked for has ended."""
        crowd = Crowd(
            url=self.server.url,
            people=self.here.people,
            staff_session=self.here.session,
            seconds=seconds,
            think_seconds=think_seconds,
            mix=mix,
        )
        written = subprocess.run(
            [sys.executable, "-m", "bench.crowd"],
            cwd=ROOT,
            input=json.dumps(asdict(crowd)),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        report = Report(**json.loads(written.stdout))
        give_up_at = time.monotonic() + DRAIN_SECONDS
        while self.ask(UNFINISHED)[0][0] and time.monotonic() < give_up_at:
            time.sleep(1)
        return report

    def ask(self, query: str) -> list[tuple[object, ...]]:
        """Return the rows of a query."""
        with psycopg.connect(self.here.environment["DATABASE_URL"], autocommit=True) as database:
            return database.execute(query).fetchall()

    def counters(self) -> Counter[str]:
        """Return what the server counted, by the name of the metric and the values of its labels."""
        answer = requests.get(f"{self.server.url}/metrics", timeout=60)
        return Counter(
            {
                " ".join([sample.name, *sample.labels.values()]): sample.value
                for metric in text_string_to_metric_families(answer.text)
                for sample in metric.samples
            }
        )

    def errors_logged(self) -> list[str]:
        """Return the lines of errors in the logs of all processes."""
        logs = [path.read_text() for path in self.here.folder.glob("*.log")]
        return [
            line
            for log in logs
            for line in log.splitlines()
            if re.search(r" (ERROR|CRITICAL) |^\w*Error", line)
        ]


@contextlib.contextmanager
def site(here: Place, *, clusters: int, **settings: str) -> Iterator[Site]:
    """Start everything on a database, and write down there which tasks are published; ends it afterwards."""
    with psycopg.connect(here.environment["DATABASE_URL"], autocommit=True) as database:
        database.execute(WATCH)
    environment = {**here.environment, **settings}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(running(here.folder, **environment))
        started = [stack.enter_context(workers(here.folder, environment)) for _ in range(clusters)]
        evaluating = stack.enter_context(evaluator(here.folder, environment))
        yield Site(here=here, server=server, clusters=started, evaluator=evaluating)


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What became of the tasks that a crowd was given: how many, by status and by mode, lost, and stored twice."""

    accepted: int
    statuses: Counter[str]
    modes: Counter[str]
    lost: int
    twice: int


def tally(site: Site, report: Report) -> Tally:
    """Compare what clients were promised with the rows, and with what was published."""
    ended = {str(task_id): (str(status), str(mode)) for task_id, status, mode in site.ask(ENDED)}
    accepted = set(report.accepted)
    unfinished = int(str(site.ask(UNFINISHED)[0][0]))
    return Tally(
        accepted=len(accepted),
        statuses=Counter(status for status, _ in ended.values()),
        modes=Counter(mode for _, mode in ended.values()),
        lost=max(len(accepted - ended.keys()), unfinished),
        twice=sum(int(str(times)) > 1 for _, times in site.ask(COUNT)),
    )
