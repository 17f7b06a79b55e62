"""However many requests wait, for renders or for the queue, the server reads and says that it is alive."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.acceptance.system import System
from tests.waiting import promised, wait_for

WEB_THREADS = 8
WAITING_TASK = """
from datetime import timedelta
from django.utils import timezone
from documents.models import Task
tomorrow = timezone.now() + timedelta(days=1)
print(Task.objects.create(kind="pdf", fingerprint="x", mode="queue", status="retrying", claimable_at=tomorrow).pk)
"""
pytestmark = pytest.mark.xdist_group("busy web threads")


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    settings = {"SPMS_MODE": "inline", "SPMS_WEB_THREADS": str(WEB_THREADS), "SPMS_INLINE_DEADLINE": "90s"}
    with System(tmp_path_factory.mktemp("busy"), **settings).serving() as running:
        yield running


@pytest.fixture
def waiting_task(system):
    """The path of a task that nobody will run."""
    return f"tasks/{system.manage('shell', '-v', '0', '-c', WAITING_TASK).stdout.strip()}/"


def test_reads_and_liveness_do_not_wait_for_those_who_render_or_wait(system, waiting_task):
    document = system.long_document(1800)
    with ThreadPoolExecutor(4 * WEB_THREADS) as clients:
        waiting = [
            clients.submit(system.call, "GET", waiting_task, params={"wait": 60})
            for _ in range(2 * WEB_THREADS)
        ]
        rendering = [clients.submit(system.make, document) for _ in range(2 * WEB_THREADS)]
        wait_for(lambda: sum(answer.done() for answer in [*waiting, *rendering]) >= 2 * WEB_THREADS)
        for _ in range(5):
            begun_at = time.monotonic()
            assert system.session.get(f"{system.address}/healthz/live", timeout=60).ok
            assert system.call("GET", "projects/").ok
            assert time.monotonic() - begun_at < promised(2)
        assert not all(answer.done() for answer in waiting), "nobody waits any more: this proves nothing"
        assert system.call("POST", f"{waiting_task}cancel/").ok
        statuses = {answer.result().status_code for answer in rendering}
    refused = [answer.result() for answer in rendering if answer.result().status_code == 503]
    assert statuses <= {200, 201, 503}
    assert refused
    assert all(answer.headers["Retry-After"] == "5" for answer in refused)
    unfinished = [answer.result() for answer in waiting if answer.result().json()["status"] == "retrying"]
    assert unfinished
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in unfinished)
