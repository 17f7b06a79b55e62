"""The measurements of the queue: with Django-Q2 on SQLite and on a real PostgreSQL, and with Celery."""

import contextlib
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import mean, median, quantiles
from typing import TYPE_CHECKING, Any

import psutil
import requests

from bench.clients import Bench, render, render_two_at_once, seconds
from bench.report import Row, medians, milliseconds, ratio
from bench.server import ROOT, cpu_seconds, running, workers

if TYPE_CHECKING:
    from tests.acceptance.servers import Postgres

DATABASES = ("SQLite", "PostgreSQL")
BROKERS = ("Celery on Redis", "Celery on RabbitMQ")  # and PostgreSQL
PLANS = 200
IDLE_SECONDS = 20.0
TASKS_IN_FLIGHT = frozenset({"queued", "running", "retrying"})
MANY = 100_000
SETTINGS = {"SPMS_QUEUE_LIMIT": "1000000", "SPMS_QUEUE_LIMIT_PER_USER": "1000000", "SPMS_QUEUE_WORKERS": "2"}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A database with plans and people, its environment, and the process ids of its server and broker, if any.

    ``token`` and ``session`` are those of a staff user; ``people`` is the result of ``bench.data.people``.
    """

    engine: str
    folder: Path
    environment: dict[str, str]
    plans: list[int]
    token: str
    session: str
    people: list[dict[str, Any]]
    server_pids: list[int]


@contextlib.contextmanager
def place(engine: str, plans: int, people: int = 0, *, postgres: "Postgres | None" = None) -> Iterator[Place]:
    """Create a database of this engine with this many plans and people, and remove it afterwards.

    ``postgres`` is the server to create it on, instead of one of its own; it is removed as well.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        url, pids = f"sqlite:///{folder}/spms.sqlite3", []
        if engine != "SQLite":
            from tests.acceptance import servers

            postgres = postgres or servers.Postgres()
            stack.callback(postgres.remove)
            url, pids = postgres.new_database(), [postgres.pid]
        environment = {"DATABASE_URL": url, "SPMS_DATA_DIR": str(folder), **SETTINGS}
        if engine in BROKERS:
            broker = servers.Redis() if engine == "Celery on Redis" else servers.RabbitMQ()
            stack.callback(broker.remove)
            environment |= {"SPMS_QUEUE_BACKEND": "celery", "SPMS_CELERY_BROKER": broker.url}
            pids.append(broker.pid)
        command = [sys.executable, "-m", "bench.prepare", str(plans), str(people)]
        prepared = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **environment}, check=True, stdout=subprocess.PIPE
        )
        yield Place(
            engine=engine,
            folder=folder,
            environment=environment,
            server_pids=pids,
            **json.loads(prepared.stdout),
        )


def queue(bench: Bench) -> Iterator[Row]:
    """Measure how long a client waits, and how fast two workers drain the queue."""
    plans = PLANS // 5 if bench.is_quick else PLANS
    for engine in DATABASES:
        with place(engine, plans) as here:
            yield from _full_queue(here)


@dataclass(frozen=True, kw_only=True)
class _Started:
    """A running system: its place, its client and address, its cluster, and how long its tasks waited."""

    here: Place
    client: requests.Session
    documents: str
    cluster: psutil.Process
    waited_seconds: list[float]


def engines(bench: Bench) -> Iterator[Row]:
    """Measure how soon an idle worker starts a task and what idling costs, with all engines in turns."""
    with contextlib.ExitStack() as stack:
        started = [_start(stack, engine) for engine in (*DATABASES, *BROKERS)]
        for number in range(bench.times(60)):
            for system in started:
                system.waited_seconds.append(
                    _wait_of(system, system.here.plans[number % len(system.here.plans)])
                )
        yield from map(_pick_up, started)
        yield from _idle(started)


def _start(stack: contextlib.ExitStack, engine: str) -> _Started:
    here = stack.enter_context(place(engine, PLANS // 5))
    server = stack.enter_context(running(here.folder, **here.environment, SPMS_MODE="inline"))
    cluster = stack.enter_context(workers(here.folder, here.environment))
    client, documents = server.session(here.token), f"{server.url}/api/v1/documents/"
    return _Started(here=here, client=client, documents=documents, cluster=cluster, waited_seconds=[])


def _full_queue(here: Place) -> Iterator[Row]:
    """Measure single renders and every POST, then how two workers drain the queue."""
    with running(here.folder, **here.environment, SPMS_MODE="inline") as server:
        client, documents = server.session(here.token), f"{server.url}/api/v1/documents/"
        alone = [render(client, f"{documents}{plan}/pdf/")["seconds"] for plan in here.plans[:40]]
        inline_seconds = render_two_at_once(client, [f"{documents}{plan}/pdf/" for plan in here.plans])
    with contextlib.ExitStack() as stack:
        with _heartbeat(here):  # a server that only queues is not ready without workers
            server = stack.enter_context(running(here.folder, **here.environment, SPMS_MODE="queue"))
            client, documents = server.session(here.token), f"{server.url}/api/v1/documents/"
            yield _posts(here, client, documents)
        with workers(here.folder, here.environment):
            took = _drain(here, client, f"{server.url}/api/v1/tasks/")
    yield from _throughput(here, took, seconds_each=mean(alone), inline_seconds=inline_seconds)


@contextlib.contextmanager
def _heartbeat(here: Place) -> Iterator[None]:
    """Send heartbeats, so that the server queues tasks: without live workers it renders inline."""
    beats = "[clusters.heartbeat('bench:1', 2) or time.sleep(3) for _ in range(99)]"
    script = f"import time; from documents.queue import clusters; {beats}"
    process = subprocess.Popen(
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", script],
        cwd=ROOT,
        env={**os.environ, **here.environment},
    )
    time.sleep(5)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _posts(here: Place, client: requests.Session, documents: str) -> Row:
    """Measure the POST that queues and a GET of the same document, in turns, while no worker runs."""
    pairs = [
        (
            _timed(client, "POST", f"{documents}{plan}/pdf/?force=true"),
            _timed(client, "GET", f"{documents}{plan}/"),
        )
        for plan in here.plans
    ]
    p95 = _p95([post for post, _ in pairs])
    return Row(
        criterion=f"{here.engine}: `POST …/pdf/` in queue mode, p95; compared with a `GET` of the document",
        goal="≤ 50 ms; ≤ 1.5 ×",
        measured=f"{milliseconds(p95)}; {ratio(pairs):.2f} × ({medians(pairs)})",
        is_met=p95 <= 0.05 and ratio(pairs) <= 1.5,
    )


def _wait_of(system: _Started, plan: int) -> float:
    """Return the seconds from a task's row to its claim."""
    time.sleep(random.uniform(0.1, 0.4))
    task = _ask(system.client, f"{system.documents}{plan}/pdf/")
    return _between(_ended(system.client, system.documents, task["task_id"]), "created_at", "started_at")


def _pick_up(system: _Started) -> Row:
    p50, p95 = median(system.waited_seconds), _p95(system.waited_seconds)
    goal = 0.030 if system.here.engine == "SQLite" else 0.015
    return Row(
        criterion=f"{system.here.engine}: from the task's row to its claim by an idle worker",
        goal=f"p50 ≤ {goal * 1000:.0f} ms, p95 ≤ 50 ms",
        measured=f"p50 {milliseconds(p50)}, p95 {milliseconds(p95)}",
        is_met=p50 <= goal and p95 <= 0.05,
    )


def _idle(started: list[_Started]) -> Iterator[Row]:
    """Measure the computing time and memory of clusters and of their servers while nothing happens."""
    time.sleep(5)
    families = [_family(system) for system in started]
    before, begun_at = [_used_seconds(family) for family in families], time.monotonic()
    time.sleep(IDLE_SECONDS)
    for system, family, then in zip(started, families, before, strict=True):
        share = max(0.0, _used_seconds(family) - then) / (time.monotonic() - begun_at)
        yield Row(
            criterion=f"{system.here.engine}: an idle cluster of two workers and its servers",
            goal="≤ 1 % of a core",
            measured=f"{share * 100:.2f} %; {sum(map(_own_bytes, family)) / 1e6:.0f} MB",
            is_met=share <= 0.01,
        )


def _family(system: _Started) -> list[psutil.Process]:
    """Return the processes of a cluster and of the servers that it needs."""
    mains = [system.cluster, *map(psutil.Process, system.here.server_pids)]
    return [process for main in mains for process in (main, *main.children(recursive=True))]


def _used_seconds(family: list[psutil.Process]) -> float:
    return sum(map(cpu_seconds, family))


def _own_bytes(process: psutil.Process) -> int:
    """Return the memory of a process, with shared pages divided among their users; 0 if it has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return int(process.memory_full_info().pss)
    return 0


def _drain(here: Place, client: requests.Session, tasks: str) -> float:
    """Return the seconds that two workers take for the queued plans."""
    query: dict[str, str | int] = {"mode": "queue", "status": "succeeded", "page_size": 100}
    while client.get(tasks, params=query, timeout=60).json()["count"] < len(here.plans):
        time.sleep(1)
    pages = math.ceil(len(here.plans) / 100)
    answers = [client.get(tasks, params={**query, "page": 1 + n}, timeout=60).json() for n in range(pages)]
    done = [task for page in answers for task in page["results"]]
    first = min(datetime.fromisoformat(task["started_at"]) for task in done)
    last = max(datetime.fromisoformat(task["finished_at"]) for task in done)
    return (last - first).total_seconds()


def _throughput(here: Place, took: float, *, seconds_each: float, inline_seconds: float) -> Iterator[Row]:
    count = len(here.plans)
    ideal = seconds_each * count / 2
    yield Row(
        criterion=f"{here.engine}: {count} queued documents of 3 pages on two workers, "
        "throughput compared with the ideal",
        goal="≥ 0.90",
        measured=f"{ideal / took:.2f} ({took:.1f} s; one render alone takes {milliseconds(seconds_each)})",
        is_met=ideal / took >= 0.9,
    )
    yield Row(
        criterion=f"{here.engine}: the same, compared with two clients that get them inline without a pause",
        goal="≥ 0.95",
        measured=f"{inline_seconds / took:.2f} (inline {inline_seconds:.1f} s)",
        is_met=inline_seconds / took >= 0.95,
    )


def status(bench: Bench) -> Iterator[Row]:
    """Measure the status call with one and with many task rows."""
    for engine in DATABASES:
        with place(engine, 1) as here, running(here.folder, **here.environment, SPMS_MODE="inline") as server:
            client = server.session(here.token)
            task_id = render_id(client, f"{server.url}/api/v1/documents/{here.plans[0]}/pdf/")
            address, times = f"{server.url}/api/v1/tasks/{task_id}/", bench.times(500)
            few = _median_of(client, address, times)
            _add_rows(here, MANY)
            many = _median_of(client, address, times)
        yield Row(
            criterion=f"{engine}: `GET tasks/{{task_id}}/` with {MANY:,} task rows compared with 1",
            goal="≤ 1.1 ×",
            measured=f"{many / few:.2f} × ({milliseconds(many)} to {milliseconds(few)})",
            is_met=many / few <= 1.1,
        )


def render_id(client: requests.Session, address: str) -> str:
    """Render a document and return the id of its task."""
    return str(client.post(address, timeout=60).json()["task_id"])


def _add_rows(here: Place, count: int) -> None:
    script = f"""
from documents.models import Document, Task
document = Document.objects.get()
Task.objects.bulk_create((Task(kind="pdf", document=document, fingerprint=str(n), status="succeeded")
                          for n in range({count})), batch_size=2000)
"""
    command = [sys.executable, "manage.py", "shell", "-v", "0", "-c", script]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **here.environment}, check=True)


def _median_of(client: requests.Session, address: str, times: int) -> float:
    for _ in range(20):
        _timed(client, "GET", address)
    return median(_timed(client, "GET", address) for _ in range(times))


def _ask(client: requests.Session, address: str) -> dict[str, Any]:
    """Queue a document, rendered again although nothing changed."""
    answer = client.post(f"{address}?force=true", headers={"Prefer": "respond-async"}, timeout=60)
    if answer.status_code != 202:
        raise SystemExit(f"bench: {address} answered {answer.status_code}: {answer.text[:300]}")
    task: dict[str, Any] = answer.json()
    return task


def _ended(client: requests.Session, address: str, task_id: str) -> dict[str, Any]:
    url = address.replace("documents/", f"tasks/{task_id}/")
    while (task := client.get(url, params={"wait": 20}, timeout=60).json())["status"] in TASKS_IN_FLIGHT:
        time.sleep(0.05)
    if task["status"] != "succeeded":
        raise SystemExit(f"bench: task {task_id} is {task['status']}: {task['message']}")
    ended: dict[str, Any] = task
    return ended


def _timed(client: requests.Session, method: str, address: str) -> float:
    return seconds(lambda: client.request(method, address, timeout=60).raise_for_status())


def _between(task: dict[str, Any], first: str, second: str) -> float:
    return (datetime.fromisoformat(task[second]) - datetime.fromisoformat(task[first])).total_seconds()


def _p95(figures: list[float]) -> float:
    return quantiles(figures, n=20, method="inclusive")[18]
