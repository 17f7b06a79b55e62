"""Behind PgBouncer with transaction pooling: the queue is notified, exports and reports work, a check notices it."""

import time

import pytest

from tests.acceptance import warm
from tests.acceptance.servers import PgBouncer
from tests.acceptance.system import System
from tests.waiting import wait_for

# Half of what a worker sleeps when no notification comes.
NOTIFIED_WITHIN_SECONDS = 1.0
PICK_UP = """
from documents.models import Task
times = [(t.started_at - t.created_at).total_seconds() for t in Task.objects.filter(mode="queue", status="succeeded")]
print(sorted(times)[len(times) // 2])
"""


@pytest.fixture(scope="module")
def direct_url(postgres):
    return postgres.new_database()


@pytest.fixture(scope="module")
def pooler(direct_url):
    server = PgBouncer(direct_url)
    yield server
    server.remove()


@pytest.fixture(scope="module")
def system(pooler, direct_url, tmp_path_factory):
    prepared = System(tmp_path_factory.mktemp("pooled"), pooler.url, SPMS_LISTEN_DATABASE_URL=direct_url)
    # Its people and documents are put in with PostgreSQL's own tools, which want a session.
    prepared.environment["DATABASE_URL"] = direct_url
    prepared.prepare()
    prepared.environment["DATABASE_URL"] = pooler.url
    try:
        prepared.start_web()
        prepared.start_workers()
        prepared.wait_for_workers()
        yield prepared
    finally:
        prepared.stop()


def test_workers_are_notified_although_connections_are_pooled(system):
    plan = system.documents(kind="concept_plan")[0]
    for _ in range(7):
        assert system.ended(system.make(plan).json()["task_id"])["status"] == "succeeded"
        time.sleep(0.3)  # the worker sleeps again
    median_seconds = float(system.manage("shell", "-v", "0", "-c", PICK_UP).stdout)
    assert median_seconds < NOTIFIED_WITHIN_SECONDS


@pytest.mark.parametrize("what", ["documents", "projects"])
def test_exports_read_their_rows_without_a_cursor_on_the_server(system, what):
    answer = system.call("POST", "exports/", json={"what": what, "format": "csv"})
    assert answer.ok, answer.text
    ended = system.ended(answer.json()["task_id"])
    assert (ended["status"], ended["error"]) == ("succeeded", None)


def test_an_annual_report_is_made(system, request):
    if request.config.getoption("--engines") != "all":
        pytest.skip("it takes long; exports read their rows in the same way")
    report = system.documents(kind="annual_report")[0]
    ended = system.ended(system.make(report).json()["task_id"])
    assert (ended["status"], ended["error"]) == ("succeeded", None)


def test_a_check_and_the_worker_notice_a_pooler_without_the_setting(pooler, direct_url, tmp_path):
    settings = {"SPMS_DATA_DIR": str(tmp_path), "DATABASE_URL": pooler.url}
    check = ["check", "--database", "default"]
    assert "spms.W030" in warm.run(check, settings).stderr
    for direct in ({"SPMS_LISTEN_DATABASE_URL": direct_url}, {"DATABASE_URL": direct_url}):
        ended = warm.run(check, settings | direct)
        assert ended.returncode == 0, ended.stderr
        assert "spms.W030" not in ended.stderr


def test_the_log_of_the_workers_does_not_complain_of_the_pooler(system):
    wait_for(system.workers)
    assert "a pooler is between" not in system.log()
