"""A PostgreSQL with a standby, both in DATABASE_URL: what follows a promotion, what is lost, what is not ready."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.acceptance import warm
from tests.acceptance.replication import Pair
from tests.acceptance.system import System
from tests.waiting import wait_for

# Heartbeats wait, too, but each in a statement of its own.
WAITS_FOR_STANDBY = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query = 'COMMIT'"
IS_REPLAYED = "SELECT pid FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_lsn()"
READINESS = """
from django.test import Client
print(Client(headers={"host": "localhost"}).get("/healthz/ready?skip=workers").json()["checks"]["database"])
"""


@pytest.fixture(scope="module")
def pair(postgres):
    servers = Pair()
    yield servers
    servers.remove()


@pytest.fixture(scope="module")
def system(pair, tmp_path_factory):
    started = System(tmp_path_factory.mktemp("failover"), pair.url, SPMS_RETRY_BACKOFF="1s")
    with started.running():
        yield started


def readiness(system):
    answer = system.session.get(f"{system.address}/healthz/ready?skip=workers", timeout=120)
    return answer.status_code, answer.json()["checks"]["database"]


def accept(system, count):
    """Return the ids of new tasks, each of which was answered with 202; refusals are repeated."""
    plan = system.documents(kind="concept_plan")[0]

    def accepted():
        answer = system.make(plan)
        return answer.status_code == 202 and answer.json()["task_id"]

    return [wait_for(accepted) for _ in range(count)]


def test_a_standby_is_not_ready(pair, system, tmp_path):
    settings = {"SPMS_DATA_DIR": str(tmp_path), "DATABASE_URL": pair.second.url}
    printed = warm.run(["shell", "-v", "0", "-c", READINESS], settings)
    assert "it does not accept writes (cannot execute INSERT in a read-only" in printed.stdout, printed.stderr


def test_a_database_that_became_read_only_is_not_ready_and_is_again_afterwards(pair, system):
    assert readiness(system) == (200, "ok")
    pair.first.configure("default_transaction_read_only", "on")
    try:
        status, fault = wait_for(lambda: (found := readiness(system))[0] != 200 and found)
        refused = system.make({"id": 1})
    finally:
        pair.first.configure("default_transaction_read_only", "off")
    assert (status, refused.status_code) == (503, 503)
    assert fault.startswith("it does not a")
    assert refused.json()["type"].endswith("database-unavailable")
    wait_for(lambda: readiness(system) == (200, "ok"))


def test_with_synchronous_replication_nothing_accepted_is_lost(pair, system):
    pair.first.configure("synchronous_standby_names", "*")
    accepted = accept(system, 4)
    pair.second.stop_replicating()
    with ThreadPoolExecutor(1) as pool:
        last = pool.submit(system.make, {"id": 1})
        wait_for(lambda: pair.first.execute(WAITS_FOR_STANDBY))
        assert not last.done()  # what the standby has not got is not accepted
        pair.first.kill()
        pair.second.promote()
        assert last.result().status_code == 503
    accepted += accept(system, 4)
    assert [system.ended(task)["status"] for task in accepted] == ["succeeded"] * 8


def test_without_it_what_the_standby_had_not_got_is_lost_although_it_was_accepted(pair, system):
    pair.first.follow(pair.second)
    [replicated] = accept(system, 1)
    assert system.ended(replicated)["status"] == "succeeded"
    wait_for(lambda: pair.second.execute(IS_REPLAYED))
    pair.first.stop_replicating()
    [lost] = accept(system, 1)
    pair.second.kill()
    pair.first.promote()
    [accepted] = accept(system, 1)
    assert system.ended(accepted)["status"] == "succeeded"
    assert system.call("GET", f"tasks/{replicated}/").json()["status"] == "succeeded"
    assert system.call("GET", f"tasks/{lost}/").status_code == 404
