"""Crowds that wait for tasks: they leave the readers alone, and whoever goes away takes no thread along."""

import contextlib
import http.client
import socket
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.acceptance.system import System
from tests.waiting import promised, wait_for

HOLDING, SPINNING, LEAVING = 200, 50, 1000
READS = 40
WAIT_SECONDS = 60
WAITING_TASKS = """
from datetime import timedelta
from django.utils import timezone
from documents.models import Task
tomorrow = timezone.now() + timedelta(days=1)
for number in range(2):
    print(Task.objects.create(
        kind="pdf", fingerprint=str(number), mode="queue", status="retrying", claimable_at=tomorrow).pk)
"""
pytestmark = pytest.mark.xdist_group("waiting crowd")


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """A web server with its usual threads."""
    with System(tmp_path_factory.mktemp("crowd"), SPMS_API_THROTTLE_RATE="off").serving() as running:
        yield running


@pytest.fixture(scope="module")
def tasks(system):
    """The addresses of two tasks that nobody will run."""
    printed = system.manage("shell", "-v", "0", "-c", WAITING_TASKS).stdout
    return [f"/api/v1/tasks/{task_id}/" for task_id in printed.split()]


class Client(contextlib.AbstractContextManager["Client"]):
    """A client with one connection, which is closed at the end of the block."""

    def __init__(self, system):
        self._connection = http.client.HTTPConnection("127.0.0.1", system.port, timeout=180)
        self._headers = {"Authorization": system.session.headers["Authorization"]}

    def __exit__(self, *_):
        self._connection.close()

    def get(self, path):
        """Return the status and the seconds after which to ask again; a resting connection is opened again."""
        try:
            self._connection.request("GET", path, headers=self._headers)
            answer = self._connection.getresponse()
        except (http.client.HTTPException, OSError):
            self._connection.close()
            return None, 0.0
        answer.read()
        return answer.status, float(answer.headers.get("Retry-After", 0))


def median_read_seconds(system):
    """Return the median time of reading a document."""
    seconds: list[float] = []
    document_id = system.documents()[0]["id"]
    with Client(system) as client:
        while len(seconds) < READS:
            begun_at = time.monotonic()
            status, _ = client.get(f"/api/v1/documents/{document_id}/")
            if status is not None:
                assert status == 200
                seconds.append(time.monotonic() - begun_at)
    return statistics.median(seconds)


def test_those_who_hold_waits_and_those_who_spin_leave_the_readers_alone(system, tasks, record_property):
    alone_seconds = median_read_seconds(system)
    is_over, statuses = threading.Event(), set()

    def hold():
        with Client(system) as client:
            while not is_over.is_set():
                status, again_seconds = client.get(f"{tasks[0]}?wait={WAIT_SECONDS}")
                statuses.add(status)
                is_over.wait(again_seconds)

    def spin():
        with Client(system) as client:
            while not is_over.is_set():
                statuses.add(client.get(tasks[1])[0])

    with ThreadPoolExecutor(HOLDING + SPINNING) as clients:
        crowd = [clients.submit(hold) for _ in range(HOLDING)] + [
            clients.submit(spin) for _ in range(SPINNING)
        ]
        try:
            wait_for(lambda: {200, 429} <= statuses)
            crowded_seconds = median_read_seconds(system)
        finally:
            is_over.set()
            assert system.call("POST", f"{tasks[0].removeprefix('/api/v1/')}cancel/").ok
    for client in crowd:
        client.result()
    record_property(
        "ms of a read, alone and in the crowd", f"{alone_seconds * 1000:.0f} {crowded_seconds * 1000:.0f}"
    )
    # The crowd itself computes on this machine, too.
    assert crowded_seconds < max(promised(0.1), 10 * alone_seconds)
    assert statuses <= {200, 429, None}


def open_and_leave(system, path):
    """Ask with LEAVING connections, and close them all before any answer can have come."""
    request = (
        f"GET {path}?wait={WAIT_SECONDS} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: {system.session.headers['Authorization']}\r\n\r\n"
    )
    connections = []
    for _ in range(LEAVING):
        connection = socket.create_connection(("127.0.0.1", system.port), timeout=60)
        connection.sendall(request.encode())
        connections.append(connection)
    for connection in connections:
        connection.close()


def test_whoever_leaves_gives_back_the_thread(system, tasks, record_property):
    open_and_leave(system, tasks[1])
    left_at = time.monotonic()

    def has_place():
        begun_at = time.monotonic()
        with Client(system) as client:
            assert client.get(f"{tasks[1]}?wait=2")[0] in {200, 429, None}
        return time.monotonic() - begun_at > 1.9

    wait_for(has_place)
    record_property("seconds until a place was free", round(time.monotonic() - left_at - 2, 1))
    assert time.monotonic() - left_at < WAIT_SECONDS - 10, (
        "the waits ended by themselves, not with the clients"
    )
