"""While the queue is paused workers take nothing, nothing is lost, and people are served as far as it goes."""

import pytest
from django_q.models import OrmQ

from documents.management.commands.qcluster import look
from documents.models import Cluster, Task
from documents.operations.supervisor import Supervisor
from documents.queue import clusters, hints, statistics
from tests import factories
from tests.asking import address
from tests.working import run_entries

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("queued")]


def ask(api, document):
    return api.post(address(document))


def status(task_id):
    return Task.objects.get(pk=task_id).status


def test_what_waits_goes_on_waiting_and_runs_when_the_queue_goes_on(api, plan):
    task_id = ask(api, plan).data["task_id"]
    hints.pause(by="kim", reason="a move")
    run_entries()
    hints.recover()
    assert (status(task_id), OrmQ.objects.count()) == ("queued", 0)
    hints.resume(by="kim")
    hints.recover()
    run_entries()
    assert status(task_id) == "succeeded"


def test_new_pdfs_are_made_inline_meanwhile(api, plan):
    hints.pause(by="kim", reason="a move")
    answer = ask(api, plan)
    assert (answer.status_code, answer.data["routed_by"]) == (201, "no_worker")
    assert statistics.live_workers() == 0


def test_the_first_who_pauses_is_named(db):
    hints.pause(by="kim", reason="a move")
    hints.pause(by="lee", reason="another")
    paused = hints.paused()
    assert paused is not None
    assert (paused.by, paused.reason) == ("kim", "a move")
    hints.resume(by="lee")
    assert hints.paused() is None


def test_a_cluster_that_was_idle_or_paused_is_not_taken_for_stalled(api, plan):
    moment = 0.0
    supervisor, watchdog = Supervisor("host:1:a", 2), clusters.Watchdog("host:1:a", clock=lambda: moment)
    assert not look(supervisor, watchdog)
    moment += clusters.STALLED_SECONDS + 1
    ask(api, plan)
    hints.pause(by="kim", reason="a move")
    assert not look(supervisor, watchdog)
    hints.resume(by="kim")
    assert not look(supervisor, watchdog)
    moment += clusters.STALLED_SECONDS - 1
    assert not look(supervisor, watchdog)
    moment += 2
    assert look(supervisor, watchdog)


def test_workers_and_their_memory_are_kept_with_the_heartbeat():
    clusters.heartbeat("host:1:a", 2, {71: 1000, 70: 2000})
    assert Cluster.objects.get().processes == [
        {"name": "host:1:a/70", "memory_bytes": 2000},
        {"name": "host:1:a/71", "memory_bytes": 1000},
    ]
    clusters.heartbeat("host:1:a", 2)
    assert len(Cluster.objects.get().processes) == 2


def test_a_hint_that_was_swallowed_during_the_pause_is_repeated_for_each_task(api, owner):
    plans = [factories.document(owner) for _ in range(3)]
    for plan in plans:
        ask(api, plan)
    hints.pause(by="kim", reason="a move")
    run_entries()
    hints.resume(by="kim")
    hints.recover()
    assert OrmQ.objects.count() == 3
