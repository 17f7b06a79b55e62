"""Two hosts with one database and one data folder: one dies or is cut off, and nothing is lost or made twice."""

import contextlib
import platform
import subprocess
import sys
from datetime import timedelta

import psutil
import psycopg
import pytest

from metrics.decisions import metric_names
from tests.acceptance.chaos import COUNT, WATCH
from tests.acceptance.hosts import FIRST, Hosts, HostsUnavailable, PostgresOn
from tests.acceptance.system import ROOT, System, at_and_below
from tests.waiting import wait_for

pytestmark = pytest.mark.xdist_group("hosts")

RENDERER = "documents.rendering.child"
RUNNING = "SELECT id::text FROM documents_task WHERE status = 'running' AND worker LIKE 'second:%'"
AHEAD = """
SELECT split_part(worker, ':', 1), id::text, document_id FROM documents_task
WHERE status = 'running' AND routed_by = 'prerender'
"""
WORKER_OF = "SELECT split_part(worker, ':', 1) FROM documents_task WHERE id = %s"
DONE_SINCE = (
    "SELECT 1 FROM documents_task WHERE status = 'succeeded' AND worker LIKE 'second:%%' AND started_at > %s"
)
AGES = "SELECT now() - evaluated_at, now() - (SELECT max(at) FROM metrics_snapshot) FROM metrics_modestate"


@pytest.fixture(scope="module")
def hosts():
    try:
        both_hosts = Hosts()
    except HostsUnavailable as reason:
        pytest.skip(str(reason))
    yield both_hosts
    both_hosts.remove()


@pytest.fixture(scope="module")
def system(hosts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    with contextlib.ExitStack() as stack:
        stack.enter_context(hosts.seen_from("first"))
        server = PostgresOn(FIRST)
        stack.callback(server.remove)
        settings = {"SPMS_RETRY_BACKOFF": "1s", "SPMS_QUEUE_WORKERS": "1", "SPMS_MODE": "auto"}
        ahead = {"SPMS_PRERENDER_AFTER": "1s", "SPMS_PRERENDER_MAX_LOAD": "100"}
        started = System(folder, server.new_database(), **settings, **ahead)
        started.session.headers["Prefer"] = "respond-async"
        stack.callback(started.stop)
        started.prepare()
        started.start_web(on=hosts.on("first"))
        started.start_workers(on=hosts.on("first"))
        yield started


@pytest.fixture(scope="module")
def database(system):
    with psycopg.connect(system.environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(WATCH)
        yield connection


@pytest.fixture
def second(hosts, system):
    """The cluster of the second host, at work, and started again when it ends."""
    before = system.clusters()
    supervisor = system.start_workers(on=hosts.on("second"))
    [cluster] = wait_for(lambda: [process for process in system.clusters() if process not in before])
    system.wait_for_workers()
    yield [supervisor, cluster]
    supervisor.terminate()
    supervisor.wait(120)


@pytest.fixture
def ahead(hosts, system):
    """What to put before a command to run it on the second host, an hour ahead; a cluster works there."""
    on = (*hosts.on("second"), "env", "DJANGO_SETTINGS_MODULE=tests.acceptance.hour_ahead")
    supervisor = system.start_workers(on=on)
    system.wait_for_workers()
    yield on
    supervisor.terminate()
    supervisor.wait(120)


def ask_for_reports(system):
    """Ask for eight reports, the longest first; return the ids of their tasks."""
    reports = system.documents(kind="annual_report")[:1] + system.documents(kind="progress_report")[:7]
    return [system.make(document).json()["task_id"] for document in reports]


def while_it_works(system, database, *, strike, undo=lambda: None):
    """Strike the second host in the middle of a task; return all tasks that were asked for."""
    asked_for = []
    while True:
        asked_for += ask_for_reports(system)
        wait_for(lambda: database.execute(RUNNING).fetchall())
        strike()
        if database.execute(RUNNING).fetchall():
            return asked_for
        undo()


def assert_each_was_made_once(system, database, task_ids):
    ended = [system.ended(task_id) for task_id in task_ids]
    assert {task["status"] for task in ended} == {"succeeded"}
    published = dict(database.execute(COUNT).fetchall())
    assert {task_id: published.get(task_id) for task_id in task_ids} == dict.fromkeys(task_ids, 1)


def test_both_hosts_work_each_in_a_folder_of_its_own(system, database, second):
    task_ids = ask_for_reports(system)
    assert_each_was_made_once(system, database, task_ids)
    workers = dict(database.execute("SELECT id::text, worker FROM documents_task").fetchall())
    assert {workers[task_id].partition(":")[0] for task_id in task_ids} == {"first", "second"}
    folders = {path.name for path in (system.folder / "work").iterdir()}
    assert folders - {platform.node()} == {
        "first",
        "second",
    }  # the sample data was loaded on this machine itself


def each(second, act, *, only=""):
    """Act on each process of the second host, or on those whose command names ``only``; some have ended meanwhile."""
    for process in at_and_below([process.pid for process in second]):
        with contextlib.suppress(psutil.NoSuchProcess):
            if not only or only in process.cmdline():
                act(process)


def both_made_ahead(database, second):
    """Wait until each host makes a PDF ahead; return both while the renders of the second host are frozen."""
    while True:
        wait_for(lambda: len(database.execute(AHEAD).fetchall()) == 2)
        each(second, psutil.Process.suspend, only=RENDERER)
        if len(made := database.execute(AHEAD).fetchall()) == 2:
            return made
        each(second, psutil.Process.resume, only=RENDERER)


def test_each_host_makes_a_pdf_ahead_and_a_request_on_one_joins_what_the_other_makes(
    system, database, second
):
    for plan in system.documents(kind="project_plan"):  # so many that two are made at once for a while
        system.lengthen(plan)
    made = both_made_ahead(database, second)
    by_host = {host: (task_id, document) for host, task_id, document in made}
    assert by_host.keys() == {"first", "second"}
    task_id, document = by_host["second"]
    joined = system.call("POST", f"documents/{document}/pdf/").json()
    each(second, psutil.Process.resume, only=RENDERER)
    assert (joined["task_id"], joined["routed_by"]) == (task_id, "client")
    # Both workers are at work, and a person waits: what nobody asked for gives way.
    asked_for = system.make(system.documents(kind="concept_plan")[0]).json()
    wait_for(lambda: not database.execute(AHEAD).fetchall())
    assert_each_was_made_once(system, database, [task_id, asked_for["task_id"]])
    assert database.execute(WORKER_OF, [task_id]).fetchone() == ("second",)


def test_what_a_killed_host_was_doing_is_done_by_the_other(system, database, second):
    task_ids = while_it_works(  # frozen first: whether it is amid a task is seen before it dies
        system,
        database,
        strike=lambda: each(second, psutil.Process.suspend),
        undo=lambda: each(second, psutil.Process.resume),
    )
    each(second, psutil.Process.kill)
    assert_each_was_made_once(system, database, task_ids)


def test_a_host_that_was_cut_off_makes_nothing_twice_and_works_again(hosts, system, database, second):
    try:
        task_ids = while_it_works(system, database, strike=hosts.pull_cable, undo=hosts.plug_cable)
        assert_each_was_made_once(system, database, task_ids)
    finally:
        hosts.plug_cable()
    back_at = database.execute("SELECT now()").fetchone()[0]
    wait_for(lambda: ask_for_reports(system) and database.execute(DONE_SINCE, [back_at]).fetchone())
    assert_each_was_made_once(system, database, task_ids)


HOLD_A_LOCK = """
import time
from django.db import transaction
from documents.models import Project
with transaction.atomic():
    Project.objects.select_for_update().first()
    print("locked", flush=True)
    time.sleep(600)
"""
TAKE_THE_LOCK = "SET lock_timeout = '120s'; SELECT id FROM documents_project FOR UPDATE"


def test_what_a_host_had_locked_when_it_was_cut_off_is_free_soon(hosts, system, database):
    command = [*hosts.on("second"), sys.executable, "manage.py", "shell", "-v", "0", "-c", HOLD_A_LOCK]
    holder = subprocess.Popen(command, cwd=ROOT, env=system.environment, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        hosts.pull_cable()
        database.execute(TAKE_THE_LOCK)  # PostgreSQL itself would wait for two hours
    finally:
        hosts.plug_cable()
        holder.kill()
        holder.communicate()


def test_a_host_whose_clock_is_wrong_works_like_any_other(system, database, ahead):
    assert_live_workers(system, 2)
    task_ids = ask_for_reports(system)
    assert_each_was_made_once(system, database, task_ids)
    rows = database.execute("SELECT id::text, worker, attempts FROM documents_task").fetchall()
    made = [(worker.partition(":")[0], attempts) for task_id, worker, attempts in rows if task_id in task_ids]
    assert set(made) == {("first", 1), ("second", 1)}


def assert_live_workers(system, count):
    line = f"\n{metric_names.QUEUE_WORKERS} {count}.0\n"
    wait_for(lambda: line in system.session.get(f"{system.address}/metrics").text)


def test_an_evaluator_whose_clock_is_wrong_evaluates_now(system, database, ahead):
    process = system.start(*ahead, sys.executable, "manage.py", "evaluate_thresholds")
    assert process.wait(120) == 0
    ages = database.execute(AGES).fetchone()
    assert all(abs(age) < timedelta(minutes=10) for age in ages)
