"""The life of a task in the queue: bounded, claimed once, recovered, retried, cancelled."""

import threading
import time
from datetime import timedelta

import pytest
from django.core.checks import run_checks
from django.db import OperationalError, connection
from django.tasks.exceptions import InvalidTask
from django.utils import timezone
from django_q.models import OrmQ

from documents import exceptions
from documents.infrastructure import storage
from documents.models import Cluster, Document, Task
from documents.queue import clusters, hints, leases, lifecycle, registry, thread_shares
from documents.tasks.pdf import task as pdf_task
from tests import factories
from tests.asking import address
from tests.waiting import wait_for
from tests.working import replace_handler, run_entries

pytestmark = pytest.mark.django_db(transaction=True)


def make_task(owner, **values):
    values = {"kind": "pdf", "fingerprint": str(time.monotonic_ns()), "mode": "queue"} | values
    return Task.objects.create(requested_by=owner, **values)


def state(task):
    task.refresh_from_db()
    return task.status


def test_a_queued_task_is_one_row_and_one_hint_and_waits(api, plan, queued):
    answer = api.post(address(plan))
    assert (answer.status_code, answer.data["status"]) == (202, "queued")
    assert answer.data["queue"] == {"position": 1, "estimated_seconds": 1}
    assert OrmQ.objects.count() == 1
    joined = api.post(address(plan))
    assert (joined.status_code, joined.data["task_id"]) == (202, answer.data["task_id"])
    assert OrmQ.objects.count() == 1
    run_entries()
    done = api.get(answer["Location"]).data
    assert (done["status"], done["queue"], done["attempts"]) == ("succeeded", None, 1)
    sent = api.get(address(plan))
    assert sent.status_code == 200
    sent.close()


def test_a_client_may_ask_for_the_queue_when_there_are_workers(api, plan, cluster):
    answer = api.post(address(plan), headers={"Prefer": "respond-async"})
    assert (answer.status_code, answer["Preference-Applied"]) == (202, "respond-async")


def test_without_workers_the_wish_for_the_queue_is_not_granted(api, plan):
    answer = api.post(address(plan), headers={"Prefer": "respond-async"})
    assert (answer.status_code, answer.has_header("Preference-Applied")) == (201, False)


@pytest.mark.parametrize(
    ("header", "granted"),
    [
        ("WAIT = 300", "wait=300"),
        ('wait="200"', "wait=200"),
        ("x=y;z, wait=200;q=1", "wait=200"),
        ("wait=200, wait=7", "wait=200"),
        ("wait=999999", "wait=300"),
        ("respond-async, wait=0", "respond-async, wait=0"),
    ],
)
def test_a_wish_that_makes_sense_is_granted_and_said_to_be(api, plan, cluster, header, granted):
    answer = api.post(address(plan), headers={"Prefer": header})
    assert answer.status_code == (202 if "respond-async" in granted else 201)
    assert answer["Preference-Applied"] == granted


@pytest.mark.parametrize(
    "header",
    [
        "",
        "wait",
        "wait=",
        "wait=-1",
        "wait=1.5",
        "wait=soon, x=y;z",
        "wait=٣",
        "wait=" + "9" * 40,
        "respond=async",
        ",;=,",
    ],
)
def test_odd_wishes_are_ignored_though_there_are_workers(api, plan, cluster, header):
    answer = api.post(address(plan), headers={"Prefer": header})
    assert (answer.status_code, answer.has_header("Preference-Applied")) == (201, False)


def test_a_second_delivery_does_nothing(api, plan, queued):
    task = Task.objects.get(pk=api.post(address(plan)).data["task_id"])
    run_entries()
    finished = Task.objects.get(pk=task.pk)
    hints.run_task.call(str(task.pk))
    again = Task.objects.get(pk=task.pk)
    assert (again.file, again.attempts, again.finished_at) == (finished.file, 1, finished.finished_at)


def test_only_one_of_many_claims_wins(owner):
    task = make_task(owner)
    won = []

    def claim():
        won.append(leases.claim(task.pk, "w"))
        connection.close()

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(claim is not None for claim in won) == 1


def test_who_lost_the_claim_cannot_publish(api, plan, owner, monkeypatch):
    outcomes = []

    def steal(attempt):
        Task.objects.filter(pk=attempt.task.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
        assert leases.claim(attempt.task.pk, "another") is not None
        # Reports would tell it that its claim is lost, if it took long enough.
        silent = registry.TaskContext(task=attempt.task, deadline=attempt.deadline, report=lambda *_: None)
        outcomes.append(outcome := pdf_task.render(silent))
        return outcome

    replace_handler(monkeypatch, steal)
    task = make_task(owner, document=plan)
    lifecycle.run(task.pk, deadline=time.monotonic() + 600)
    assert (state(task), task.worker, task.file) == ("running", "another", "")
    assert not storage.exists(outcomes[0].as_columns()["file"])


def test_a_fault_that_can_pass_is_retried_with_growing_waits_and_then_fails(
    owner, plan, monkeypatch, settings
):
    def killed(attempt):
        raise exceptions.RenderKilled("It was killed.")

    replace_handler(monkeypatch, killed)
    task, waits = make_task(owner, document=plan), []
    for _ in range(3):
        lifecycle.run(task.pk, deadline=time.monotonic() + 600)
        assert state(task) == "retrying"
        waits.append((task.claimable_at - timezone.now()).total_seconds())
        lifecycle.run(task.pk, deadline=time.monotonic() + 600)
        assert state(task) == "retrying"  # not before its time
        Task.objects.update(claimable_at=timezone.now())
    for wait, expected in zip(waits, (60, 120, 240), strict=True):
        assert expected * 0.75 < wait < expected * 1.25
    lifecycle.run(task.pk, deadline=time.monotonic() + 600)
    assert (state(task), task.attempts, task.error["type"]) == ("failed", 4, "render-killed")


def test_a_document_that_cannot_be_laid_out_is_never_retried(owner, plan, monkeypatch):
    def broken(attempt):
        raise exceptions.DocumentUnrenderable("Too deep.")

    replace_handler(monkeypatch, broken)
    task = make_task(owner, document=plan)
    lifecycle.run(task.pk, deadline=time.monotonic() + 600)
    assert (state(task), task.attempts) == ("failed", 1)


def test_a_locked_database_is_a_fault_that_passes(owner, plan, monkeypatch):
    def locked(attempt):
        raise OperationalError("database is locked")

    replace_handler(monkeypatch, locked)
    task = make_task(owner, document=plan)
    lifecycle.run(task.pk, deadline=time.monotonic() + 600)
    assert (state(task), task.error["type"]) == ("retrying", "database-unavailable")


def test_the_supervisor_enqueues_what_was_never_hinted_or_whose_hint_vanished(owner, cluster, monkeypatch):
    monkeypatch.setattr(hints, "LOST_HINT_AGE", timedelta(minutes=10))
    never, lost = make_task(owner), make_task(owner)
    Task.objects.filter(pk=lost.pk).update(hinted_at=timezone.now() - timedelta(minutes=11))
    fresh = make_task(owner, hinted_at=timezone.now() + timedelta(seconds=1))
    hints.recover()
    hinted = {entry.task["args"][1][0] for entry in OrmQ.objects.all()}
    assert hinted == {str(never.pk), str(lost.pk)}
    hints.recover()
    assert OrmQ.objects.count() == 2
    assert state(fresh) == "queued"


def test_the_supervisor_leaves_a_long_queue_alone_while_all_workers_are_busy(owner, cluster):
    for _ in range(2):
        make_task(owner, status="running", lease_until=timezone.now() + timedelta(seconds=20))
    make_task(owner)
    Task.objects.filter(status="queued").update(
        hinted_at=timezone.now() - timedelta(hours=1), claimable_at=timezone.now() - timedelta(hours=2)
    )
    hints.recover()
    assert OrmQ.objects.count() == 0


def test_the_supervisor_returns_what_a_dead_worker_held_and_fails_what_kills_every_worker(owner):
    late = timezone.now() - timedelta(seconds=1)
    held = make_task(owner, status="running", lease_until=late, attempts=1)
    poison = make_task(owner, status="running", lease_until=late, attempts=4)
    inline = make_task(owner, status="running", lease_until=late, attempts=1, mode="inline")
    alive = make_task(owner, status="running", lease_until=timezone.now() + timedelta(seconds=50), attempts=1)
    hints.recover()
    assert [state(task) for task in (held, poison, inline, alive)] == [
        "queued",
        "failed",
        "queued",
        "running",
    ]
    assert poison.error["type"] == "worker-lost"
    assert inline.mode == "queue"


def test_a_clock_that_jumped_back_blocks_nothing(owner, cluster):
    future = timezone.now() + timedelta(hours=5)
    held = make_task(owner, status="running", lease_until=future, attempts=1)
    waiting = make_task(owner, status="retrying", claimable_at=future, hinted_at=None)
    hints.recover()
    assert state(held) == "queued"
    assert str(waiting.pk) in {entry.task["args"][1][0] for entry in OrmQ.objects.all()}
    Cluster.objects.update(seen_at=future)
    assert not hints.has_live_workers()


def test_a_stopped_cluster_gives_its_tasks_back_with_their_attempt(owner):
    mine = make_task(owner, status="running", worker="host:1:a/77", attempts=1, lease_until=timezone.now())
    other = make_task(owner, status="running", worker="host:1:ab/78", attempts=1, lease_until=timezone.now())
    clusters.deregister("host:1:a")
    assert (state(mine), mine.attempts, state(other)) == ("queued", 0, "running")


def test_a_full_queue_is_503_and_a_greedy_user_429(plan, owner, member, client_of, queued, settings):
    other = factories.document(owner, member)
    settings.SPMS_QUEUE_LIMIT_PER_USER = 1
    assert client_of(owner).post(address(plan)).status_code == 202
    greedy = client_of(owner).post(address(other))
    assert (greedy.status_code, greedy.json()["type"]) == (429, "urn:spms:problem:too-many-tasks")
    assert int(greedy["Retry-After"]) > 0
    settings.SPMS_QUEUE_LIMIT = 1
    full = client_of(member).post(address(other))
    assert (full.status_code, full.json()["type"]) == (503, "urn:spms:problem:queue-full")
    assert int(full["Retry-After"]) > 0
    assert (Task.objects.count(), OrmQ.objects.count()) == (1, 1)
    assert client_of(owner).post(address(plan)).status_code == 202  # joining takes no room


def test_a_queued_task_is_cancelled_at_once_and_can_be_retried_by_hand(api, plan, queued):
    task_id = api.post(address(plan)).data["task_id"]
    url = f"/api/v1/tasks/{task_id}/"
    cancelled = api.post(f"{url}cancel/")
    assert (cancelled.status_code, cancelled.data["status"]) == (200, "cancelled")
    assert api.post(f"{url}cancel/").status_code == 409
    run_entries()
    assert api.get(url).data["status"] == "cancelled"
    assert api.post(f"{url}retry/").status_code == 202
    run_entries()
    assert api.get(url).data["status"] == "succeeded"
    refused = api.post(f"{url}retry/")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:spms:problem:task-state")


def test_a_task_is_not_retried_beside_another_for_the_same_input(api, plan, queued):
    first = api.post(address(plan)).data["task_id"]
    api.post(f"/api/v1/tasks/{first}/cancel/")
    assert api.post(address(plan)).data["task_id"] != first
    assert api.post(f"/api/v1/tasks/{first}/retry/").status_code == 409


def test_inline_a_retry_by_hand_renders_at_once(api, plan, owner):
    task = make_task(owner, document=plan, status="failed", fingerprint=pdf_task.fingerprint(plan))
    answer = api.post(f"/api/v1/tasks/{task.pk}/retry/")
    assert (answer.status_code, answer.data["status"], answer.data["mode"]) == (200, "succeeded", "inline")


@pytest.mark.parametrize("call", ["cancel/", "retry/", ""])
def test_tasks_of_others_and_unknown_ones_do_not_exist(plan, owner, stranger, client_of, call):
    task = make_task(owner, document=plan)
    client = client_of(stranger)
    for task_id in (task.pk, "00000000-0000-0000-0000-000000000000"):
        method = client.post if call else client.get
        assert method(f"/api/v1/tasks/{task_id}/{call}").status_code == 404


@pytest.mark.parametrize("wait", ["-1", "61", "soon", "1.5", "", "٣"])
def test_a_wait_out_of_range_is_refused(api, owner, wait):
    answer = api.get(f"/api/v1/tasks/{make_task(owner).pk}/", {"wait": wait})
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_a_long_poll_answers_when_the_task_ends_or_the_time_is_over(api, plan, owner):
    task = make_task(owner, document=plan)
    begun_at = time.monotonic()
    assert api.get(f"/api/v1/tasks/{task.pk}/", {"wait": 1}).data["status"] == "queued"
    assert time.monotonic() - begun_at > 0.9
    ended_at = []

    def end():
        time.sleep(0.5)  # it is being asked for by then; when it is not, the answer comes at once
        lifecycle.cancel(task.pk, by="a test")
        ended_at.append(time.monotonic())
        connection.close()

    thread = threading.Thread(target=end)
    thread.start()
    begun_at = time.monotonic()
    assert api.get(f"/api/v1/tasks/{task.pk}/", {"wait": 60}).data["status"] == "cancelled"
    assert ended_at
    assert time.monotonic() - begun_at < 50, "it waited to the end of its time"
    thread.join()


def test_a_late_inline_render_goes_on_as_a_task_of_the_queue(api, plan, cluster, settings):
    Document.objects.filter(pk=plan.pk).update(sections={"aims": factories.long_text(150)})
    settings.SPMS_INLINE_DEADLINE = 0.3
    answer = api.post(address(plan))
    assert (answer.status_code, answer.data["mode"]) == (202, "queue")
    wait_for(lambda: Task.objects.filter(status="succeeded", attempts=1).exists(), seconds=300)
    assert OrmQ.objects.count() == 0


def test_a_cancelled_inline_render_is_told_to_its_requester(api, plan, owner, client_of):
    Document.objects.filter(pk=plan.pk).update(sections={"aims": factories.long_text(900)})
    answers = []

    def post():
        answers.append(client_of(owner).post(address(plan)))
        connection.close()

    thread = threading.Thread(target=post)
    thread.start()
    task = wait_for(lambda: answers or Task.objects.filter(status="running").first())
    assert not answers, "it was over before it could be cancelled"
    assert api.post(f"/api/v1/tasks/{task.pk}/cancel/").status_code == 200
    thread.join()
    assert (answers[0].status_code, answers[0].json()["type"]) == (409, "urn:spms:problem:task-cancelled")


def test_the_backend_refuses_what_django_q_cannot_do():
    with pytest.raises(InvalidTask):
        hints.run_task.using(run_after=timezone.now())
    with pytest.raises(NotImplementedError):
        hints.run_task.get_result("1")


@pytest.mark.parametrize(
    "change",
    [
        {"retry": 150},
        {"max_attempts": 0},
        {"timeout": None},
        {"workers": 0},
        {"orm": "elsewhere"},
        {"bulk": 10},
    ],
)
def test_settings_of_the_queue_that_lose_tasks_are_refused(settings, change):
    assert run_checks() == []
    settings.Q_CLUSTER = settings.Q_CLUSTER | change
    [error] = run_checks()
    assert next(iter(change)) in error.msg


def test_position_and_estimate_grow_with_the_queue(api, plan, owner, cluster):
    for number in range(5):
        make_task(owner, claimable_at=timezone.now() - timedelta(minutes=5 - number))
    task = make_task(owner, document=plan)
    place = api.get(f"/api/v1/tasks/{task.pk}/").data["queue"]
    assert place == {"position": 6, "estimated_seconds": 6}


def test_the_inline_slots_follow_the_settings(settings):
    settings.SPMS_INLINE_SLOTS = 1
    assert thread_shares.inline_slots().acquire(blocking=False)
    assert not thread_shares.inline_slots().acquire(blocking=False)
