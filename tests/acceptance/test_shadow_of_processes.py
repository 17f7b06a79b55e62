"""The shadow that running evaluators report in inline mode is near what the clients of the same requests saw."""

import copy
import os
import queue
import random
import sys
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from statistics import mean

import psycopg
import pytest
import requests

from bench.ports import free_port
from metrics.decisions.statistics import quantile_of
from tests.acceptance.hosts import named
from tests.acceptance.system import System
from tests.waiting import wait_for

pytestmark = pytest.mark.xdist_group("shadow")

SEED = 7
LOAD = 0.7
SECONDS, MIN_PDFS = 20.0, 30
MAX_CLIENTS = 128
NEAR = 0.15
SETTINGS = {
    "SPMS_MODE": "inline",
    "SPMS_RENDER_SLOTS": "1",  # of each host
    "SPMS_WEB_THREADS": "128",  # half of them may render: nobody is refused
    "SPMS_INLINE_DEADLINE": "5m",
    "SPMS_RENDER_TIMEOUT": "5m",
    "SPMS_API_THROTTLE_RATE": "off",
}
EVALUATED_AT = "SELECT evaluated_at FROM metrics_modestate WHERE evaluated_at > %s"
COUNTING_HOSTS = "SELECT count(DISTINCT host) FROM metrics_snapshot"
FORGET = "DELETE FROM documents_task; DELETE FROM metrics_snapshot"


@pytest.fixture(scope="module")
def system(postgres, tmp_path_factory):
    """One web host with its evaluator."""
    started = System(tmp_path_factory.mktemp("shadow"), postgres.new_database(), **SETTINGS)
    try:
        started.prepare()
        start_host(started)
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def database(system):
    with psycopg.connect(system.environment["DATABASE_URL"], autocommit=True) as connection:
        yield connection


@pytest.fixture
def second(system):
    """The address of a second web host with its evaluator, on the database and the data folder of the first."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a second host name needs Linux and root")
    host = copy.copy(system)
    host.port = free_port()
    host.address, host.environment = (
        f"http://127.0.0.1:{host.port}",
        system.environment | {"PORT": str(host.port)},
    )
    started = len(system.processes)
    start_host(host, on=named("second"))
    yield host.address
    for process in system.processes[started:]:
        process.terminate()
        process.wait(120)


def start_host(host, on=()):
    host.start_web(on=on)
    host.start(*on, sys.executable, "manage.py", "evaluate_thresholds", "--every", "3s")


class Crowd:
    """Clients that each read a document and ask for its PDF when they come, however many others wait.

    They come at ``LOAD`` of what the hosts can render at the speed of the latest PDFs, and to any host by chance.
    """

    def __init__(self, system, *addresses):
        self._addresses, self._headers = addresses, dict(system.session.headers)
        # Two who ask for the same document at once share its PDF.
        self._free_documents: queue.SimpleQueue[int] = queue.SimpleQueue()
        for kind in ("concept_plan", "progress_report", "project_plan"):
            for document in system.documents(kind=kind):
                self._free_documents.put(document["id"])
        self._latest_seconds = deque([1.0], maxlen=8)
        self.seconds = []

    def come(self, *, least, seconds=0.0):
        """Come for so long and until so many have come, and wait for all answers."""
        draw, until = random.Random(SEED), time.monotonic() + seconds
        clients: list[Future[None]] = []
        with ThreadPoolExecutor(MAX_CLIENTS) as threads:
            while len(clients) < least or time.monotonic() < until:
                clients.append(threads.submit(self._send, draw.choice(self._addresses)))
                time.sleep(draw.expovariate(LOAD * len(self._addresses) / mean(self._latest_seconds)))
        for client in clients:
            client.result()

    def _send(self, address):
        document = self._free_documents.get()
        path = f"{address}/api/v1/documents/{document}/"
        self._ask("GET", path, 200)
        answer = self._ask("POST", f"{path}pdf/?force=true", 201)
        self._latest_seconds.append(answer.json()["result"]["seconds"])
        self._free_documents.put(document)

    def _ask(self, method, path, status):
        begun_at = time.monotonic()
        answer = requests.request(method, path, headers=self._headers, timeout=300)
        self.seconds.append(time.monotonic() - begun_at)
        assert answer.status_code == status, answer.text
        return answer


def measured_and_shadow(system, database, *addresses):
    """Return the p95 of the requests of a crowd, as its clients saw it and as the shadow has it."""
    crowd = Crowd(system, *addresses)
    crowd.come(least=6 * len(addresses))  # their processes are warm, and it is known how fast they render
    database.execute(FORGET)
    wait_for(lambda: database.execute(COUNTING_HOSTS).fetchone() == (len(addresses),))
    crowd.seconds.clear()
    crowd.come(least=MIN_PDFS, seconds=SECONDS)
    ended_at = datetime.now(UTC)
    wait_for(lambda: database.execute(EVALUATED_AT, [ended_at]).fetchone())
    entries = system.call("GET", "thresholds/").json()["thresholds"]
    [shadow] = [entry["shadow"] for entry in entries if entry["name"] == "p95_response_time"]
    return quantile_of(crowd.seconds, 0.95), shadow


def test_the_shadow_of_one_host_is_near_what_clients_saw(system, database, record_property):
    measured, shadow = measured_and_shadow(system, database, system.address)
    record_property("p95 in seconds, measured and shadow", f"{measured:.2f} {shadow:.2f}")
    assert shadow == pytest.approx(measured, rel=NEAR)


def test_the_shadow_of_two_hosts_is_near_what_clients_saw(system, database, second, record_property):
    measured, shadow = measured_and_shadow(system, database, system.address, second)
    record_property("p95 in seconds, measured and shadow", f"{measured:.2f} {shadow:.2f}")
    assert shadow == pytest.approx(measured, rel=NEAR)
