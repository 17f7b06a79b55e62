"""Clients that poll a task: no news is cheap, all news pass the rights, and asking more often gains nothing."""

import threading
import time
import uuid

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.authtoken.models import Token

from documents.models import Task
from documents.queue import end_watcher, states, statistics, thread_shares
from spms import repeated_statuses
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def task(plan):
    return Task.objects.create(kind="pdf", document=plan, mode="queue", fingerprint="x", status="queued")


@pytest.fixture
def poll(owner, task):
    """Ask for the task with the owner's token."""
    token, client = Token.objects.create(user=owner), Client()

    def poll(etag="", query="", token=token.key):
        headers = {"Authorization": f"Token {token}"} | ({"If-None-Match": etag} if etag else {})
        return client.get(f"/api/v1/tasks/{task.pk}/{query}", headers=headers)

    return poll


def change(task, **values):
    Task.objects.filter(pk=task.pk).update(**values)


def test_a_state_that_the_client_has_is_not_sent_again(poll, task):
    first = poll()
    assert first["ETag"].startswith('W/"')
    assert {"Authorization", "Cookie"} <= set(first["Vary"].split(", "))
    unchanged = poll(first["ETag"])
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    for header in ("ETag", "Vary", "Retry-After", "Cache-Control"):
        assert unchanged[header] == first[header]
    change(task, status="running", pages_done=3)
    changed = wait_for(lambda: (answer := poll(first["ETag"])).status_code == 200 and answer)
    assert changed.json()["progress"]["pages"] == 3
    assert changed["ETag"] != first["ETag"]


def test_the_end_is_news_and_has_a_tag_and_no_retry_after(poll, task):
    first = poll()
    change(task, status="cancelled", message="Cancelled.")
    ended = wait_for(lambda: (answer := poll(first["ETag"])).status_code == 200 and answer)
    assert not ended.has_header("Retry-After")
    assert poll(ended["ETag"]).status_code == 304


def test_the_estimate_alone_is_no_news(poll, task, monkeypatch):
    first = poll()
    monkeypatch.setattr(statistics, "mean_service_seconds", lambda: 7.0)
    assert poll(query="?fresh=1").json()["queue"] != first.json()["queue"]
    assert poll(first["ETag"], query="?fresh=1").status_code == 304


def test_the_database_is_not_asked_again_who_the_client_is(poll, monkeypatch):
    monkeypatch.setattr(repeated_statuses, "MAX_AGE_SECONDS", 600.0)
    first = poll()
    for etag, status in (("", 200), (first["ETag"], 304)):
        with CaptureQueriesContext(connection) as queries:
            assert poll(etag).status_code == status
        assert not any("authtoken" in query["sql"] for query in queries)


def test_the_states_of_all_polled_tasks_are_one_query():
    tasks = [Task.objects.create(kind="pdf", mode="queue", fingerprint=f"o{number}") for number in range(5)]
    reader = states.StateReader()
    for task in tasks:
        assert reader.current(task.pk) is not None
    reader._read_at = -states.MAX_AGE_SECONDS
    with CaptureQueriesContext(connection) as queries:
        assert reader.current(tasks[0].pk) is not None
    [query] = [query["sql"] for query in queries if " IN (" in query["sql"] and "fingerprint" in query["sql"]]
    assert all(task.pk.hex in query.replace("-", "") for task in tasks)
    assert reader.current(uuid.uuid4()) is None


def test_a_revoked_token_gets_no_news(poll, task):
    first = poll()
    Token.objects.all().delete()
    change(task, status="running", message="secret")
    answers = []

    def is_refused():
        answers.append(poll(first["ETag"]))
        return answers[-1].status_code == 401

    wait_for(is_refused)
    assert not any(b"secret" in answer.content for answer in answers)


def test_a_revoked_token_does_not_stay_valid_for_an_unchanged_task(poll, task, monkeypatch):
    monkeypatch.setattr(repeated_statuses, "MAX_AGE_SECONDS", 0.2)
    monkeypatch.setattr(repeated_statuses, "MAX_UNCHANGED_SECONDS", 0.2)
    first = poll()
    Token.objects.all().delete()
    wait_for(lambda: poll(first["ETag"]).status_code == 401)


def delete_token(owner):
    Token.objects.get(user=owner).delete()


def deactivate(owner):
    owner.is_active = False
    owner.save()


def leave_the_project(owner):
    owner.memberships.all().delete()


@pytest.mark.parametrize(
    ("end_right", "status"), [(delete_token, 401), (deactivate, 401), (leave_the_project, 404)]
)
def test_a_right_that_ends_in_this_process_ends_at_once(poll, owner, end_right, status):
    first = poll()
    end_right(owner)
    assert poll(first["ETag"]).status_code == poll().status_code == status


def test_the_answer_of_one_person_is_not_given_to_another(poll, stranger):
    assert poll().status_code == 200
    assert poll(token=Token.objects.create(user=stranger).key).status_code == 404
    assert poll(token="none").status_code == 401


def test_a_deleted_task_is_gone(poll, task):
    poll()
    task.delete()
    wait_for(lambda: poll().status_code == 404)


def test_a_client_that_asks_without_a_pause_is_told_when_to_ask_again(poll, monkeypatch):
    monkeypatch.setattr(repeated_statuses, "MAX_CALLS_PER_SECOND", 3)
    refused = wait_for(lambda: (answer := poll()).status_code == 429 and answer)
    assert refused["Retry-After"] == "1"
    assert refused.json()["type"] == "urn:spms:problem:throttled"
    wait_for(lambda: poll().status_code == 200)


def test_a_wait_without_a_free_place_is_answered_at_once(poll):
    share = thread_shares.waiting_share()
    held = 0
    while share.acquire(blocking=False):
        held += 1
    try:
        begun_at = time.monotonic()
        first, again = poll(query="?wait=60"), poll(query="?wait=60")
    finally:
        share.release(held)
    assert time.monotonic() - begun_at < 60
    assert first.json() == again.json()
    assert 1 <= int(first["Retry-After"]) <= 30


def test_a_recent_answer_does_not_end_a_wait_that_has_a_place(poll, task):
    poll()

    def wait():
        poll(query="?wait=60")
        connection.close()

    waiting = threading.Thread(target=wait)
    waiting.start()
    wait_for(lambda: task.pk in end_watcher.watcher()._waiting)
    change(task, status="cancelled")
    waiting.join()


def test_a_running_task_is_asked_for_again_at_the_pace_of_the_workers(poll, task, monkeypatch):
    change(task, status="running")
    for pace_seconds, header in ((0.2, "1"), (4.5, "3"), (400.0, "30")):
        monkeypatch.setattr(statistics, "mean_service_seconds", lambda pace=pace_seconds: pace)
        assert poll(query="?fresh=1")["Retry-After"] == header
