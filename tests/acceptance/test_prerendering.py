"""PDFs made ahead of a request, with a real supervisor, worker and web server: ready, joined, or out of the way."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from bench.giving_way import seconds_until_holding, tickets
from documents.infrastructure import slot_queue
from tests.acceptance.chaos import is_computing
from tests.acceptance.servers import Redis, children
from tests.acceptance.system import System
from tests.waiting import promised, wait_for

ON_SQLITE = pytest.param("sqlite", marks=pytest.mark.xdist_group("prerendering"))
ON_CELERY = pytest.param("celery", marks=pytest.mark.xdist_group("prerendering-celery"))


@pytest.fixture(scope="module", params=[ON_SQLITE, ON_CELERY])
def system(request, tmp_path_factory):
    """One render slot, so that everybody needs the same one; Django-Q2 on SQLite, or Celery and PostgreSQL."""
    settings = {"SPMS_PRERENDER_AFTER": "1s", "SPMS_PRERENDER_MAX_LOAD": "100", "SPMS_RENDER_SLOTS": "1"}
    settings |= {"SPMS_INLINE_DEADLINE": "90s"}
    url = None
    with contextlib.ExitStack() as stack:
        if request.param == "celery":
            broker = Redis()
            stack.callback(broker.remove)
            settings |= {"SPMS_QUEUE_BACKEND": "celery", "SPMS_CELERY_BROKER": broker.url}
            url = request.getfixturevalue("postgres").new_database()
        started = System(tmp_path_factory.mktemp("system"), url, SPMS_MODE="auto", **settings)
        stack.enter_context(started.running())
        # A render that waits until its process has started would count as a slow one, and the next would be queued.
        wait_for(lambda: len(started.workers()) >= 2 and not busy_workers(started))
        yield started


def change(system, number):
    plan = system.documents(kind="concept_plan")[number]
    text = {"sections": {"background": f"<p>Changed at {time.monotonic()}.</p>"}}
    return system.call("PATCH", f"documents/{plan['id']}/", json=text).json()


def ahead(system, document, status):
    """Return the task that makes, or made, the PDF of a document ahead, once it has a status."""

    def look():
        tasks = system.call("GET", "tasks/", params={"document": document["id"], "status": status}).json()
        return [task for task in tasks["results"] if task["routed_by"] == "prerender"]

    return wait_for(look)[0]


def press(system, document, **options):
    return system.call("POST", f"documents/{document['id']}/pdf/", **options)


def test_the_pdf_is_there_before_anybody_asks(system):
    plan = change(system, 0)
    task = ahead(system, plan, "succeeded")
    pressed = press(system, plan)
    assert (pressed.status_code, pressed.json()["task_id"]) == (200, task["task_id"])
    sent = system.session.get(system.address + pressed.json()["result"]["url"])
    assert sent.content.startswith(b"%PDF")
    used = 'spms_prerenders_total{outcome="used"} 1.0'
    wait_for(lambda: used in system.session.get(f"{system.address}/metrics").text)


def test_a_person_takes_the_slot_at_once(system):
    report = system.long_document()
    task = ahead(system, report, "running")
    [slots] = wait_for(lambda: list(system.folder.glob("run/*/slots")))
    ahead_in_line = wait_for(lambda: tickets(slots, slot_queue.HOLDING))
    plan = system.documents(kind="concept_plan")[1]
    with ThreadPoolExecutor(1) as threads:
        pressed = threads.submit(system.make, plan)
        seconds = seconds_until_holding(slots, ahead_in_line, pressed)
        assert pressed.result().status_code == 201
    assert seconds < promised(0.1)
    wait_for(lambda: system.call("GET", f"tasks/{task['task_id']}/").status_code == 404)
    wait_for(lambda: "is not made ahead: the render slots are needed" in system.log())


def test_a_person_who_asks_while_it_is_made_gets_that_one(system):
    report = system.long_document()
    task = ahead(system, report, "running")
    pressed = press(system, report)
    assert (pressed.status_code, pressed.json()["task_id"]) == (201, task["task_id"])
    assert pressed.json()["routed_by"] != "prerender"


def busy_workers(system):
    """Return the workers whose rendering process computes."""
    return [worker for worker in system.workers() if any(map(is_computing, children(worker)))]


@pytest.mark.parametrize("victim", ["rendering process", "worker"])
def test_what_is_killed_while_it_is_made_is_no_failure_of_anybody(system, victim):
    report = system.long_document()
    task = ahead(system, report, "running")
    # Another one may just start its rendering process.
    [worker] = wait_for(lambda: len(workers := busy_workers(system)) == 1 and workers)
    for process in [worker] if victim == "worker" else children(worker):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    if victim == "worker":
        wait_for(lambda: not worker.is_running())
        system.lapse()
    wait_for(lambda: system.call("GET", f"tasks/{task['task_id']}/").status_code == 404)
    assert system.call("GET", "tasks/", params={"status": "failed"}).json()["count"] == 0
    assert system.make(system.documents(kind="concept_plan")[2]).status_code == 201
