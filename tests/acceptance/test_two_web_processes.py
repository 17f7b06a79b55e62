"""Two web processes on one host and one SQLite file: both serve, counts add up, and they share the render slots."""

import json
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from metrics.decisions import metric_names
from tests.acceptance.system import System
from tests.waiting import wait_for

WEB_THREADS = 16
PDFS = 16
pytestmark = pytest.mark.xdist_group("web processes")
WORKERS = """
from documents.models import Task
print(*sorted(set(Task.objects.filter(mode='inline', status='succeeded').values_list('worker', flat=True))))
"""
ROWS = "from metrics.models import WebProcess; print(*WebProcess.objects.values_list('name', flat=True))"


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    settings = {
        "SPMS_MODE": "inline",
        "SPMS_WEB_PROCESSES": "2",
        "SPMS_WEB_THREADS": str(WEB_THREADS),
        "SPMS_RENDER_SLOTS": "1",
        "SPMS_INLINE_DEADLINE": "90s",
    }
    with System(tmp_path_factory.mktemp("two"), **settings).serving() as running:
        wait_for(lambda: len(printed(running, ROWS)) == 2)
        yield running


def printed(system, script):
    return system.manage("shell", "-v", "0", "-c", script).stdout.split()


def pid_of(name):
    """Return the process id in the name of a web process: host:pid:start."""
    return int(name.split(":")[1])


def finished(system):
    text = system.session.get(f"{system.address}/metrics").text
    [line] = [line for line in text.splitlines() if line.startswith(metric_names.REQUESTS_FINISHED)]
    return float(line.rsplit(" ", 1)[1])


class Slots:
    """Notes which processes hold render slots, until the block ends."""

    def __init__(self, folder):
        self._folder, self._stop = folder, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.most, self.holders = 0, set()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _watch(self):
        while not self._stop.wait(0.005):
            held = [path.name for path in self._folder.glob("run/*/slots/holding-*")]
            self.most = max(self.most, len(held))
            self.holders |= {int(name.split("-")[2]) for name in held}


def test_both_serve_with_one_render_slot_between_them_and_counts_add_up(system):
    documents = system.documents(kind="concept_plan")
    both, before = {pid_of(name) for name in printed(system, ROWS)}, finished(system)
    answers: list[requests.Response] = []

    def have_both_made_some():
        answers.extend(clients.map(lambda n: system.make(documents[n % len(documents)]), range(PDFS)))
        return {int(worker.rpartition("/")[2]) for worker in printed(system, WORKERS)} == both

    with Slots(system.folder) as slots, ThreadPoolExecutor(PDFS) as clients:
        wait_for(have_both_made_some)
    assert {answer.status_code for answer in answers} <= {200, 201, 503}
    assert (slots.most, slots.holders) == (1, both)
    assert finished(system) - before == len(answers)
    assert "locked" not in system.log()


def test_the_evaluation_sees_one_host_with_the_threads_of_both(system):
    report = json.loads(system.manage("evaluate_thresholds", "--json").stdout)
    [host] = report["hosts"]
    assert (host["web_threads"], host["render_slots"], host["workers"]) == (WEB_THREADS, 1, 0)
    assert host["work_share"] == 1


def test_a_process_that_is_killed_is_replaced_and_one_that_ends_withdraws_its_report(system):
    names = printed(system, ROWS)
    os.kill(pid_of(names[0]), signal.SIGKILL)
    wait_for(lambda: len(set(printed(system, ROWS)) - set(names)) == 1)
    assert system.call("GET", "projects/").ok
    system.stop()
    assert printed(system, ROWS) == [names[0]]  # it could not withdraw: its report expires
