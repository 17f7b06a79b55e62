"""Requests that wait for tasks: woken when they end, and one query for all of them."""

import threading
import time
import uuid

import pytest
from django.db import OperationalError, connection

from documents.infrastructure import sqlite_changes
from documents.models import Task
from documents.queue import end_watcher, lifecycle
from documents.queue.end_watcher import EndWatcher
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)
LONG_SECONDS = 300


@pytest.fixture
def watcher():
    """A watcher whose thread has ended at the end of the test, so that it leaves the database alone."""
    watcher = EndWatcher()
    yield watcher
    wait_for(lambda: not watcher._is_watching)


def make_task(number):
    return Task.objects.create(kind="pdf", mode="queue", fingerprint=str(number))


def wait_in_thread(watcher, task_id, seconds=LONG_SECONDS):
    thread = threading.Thread(
        target=watcher.wait, args=(task_id,), kwargs={"deadline": time.monotonic() + seconds}
    )
    thread.start()
    return thread


def test_everybody_who_waits_for_a_task_is_woken_when_it_ends(watcher):
    ending, other = make_task(1), make_task(2)
    threads = [wait_in_thread(watcher, ending.pk) for _ in range(5)]
    patient = wait_in_thread(watcher, other.pk)
    lifecycle.cancel(ending.pk, by="a test")
    for thread in threads:
        thread.join()
    assert patient.is_alive()
    other.delete()
    patient.join()


def test_a_task_that_has_ended_and_one_that_does_not_exist_are_not_waited_for(watcher):
    ended = make_task(1)
    lifecycle.cancel(ended.pk, by="a test")
    for task_id in (ended.pk, uuid.uuid4()):
        wait_in_thread(watcher, task_id).join()


def test_the_wait_ends_at_its_deadline(watcher):
    begun_at = time.monotonic()
    watcher.wait(make_task(1).pk, deadline=begun_at + 0.3)
    assert 0.3 <= time.monotonic() - begun_at < LONG_SECONDS


def test_however_many_wait_a_round_is_one_query(watcher, monkeypatch):
    asked = []
    in_flight = end_watcher._in_flight

    def counted(task_ids):
        asked.append(len(task_ids))
        return in_flight(task_ids)

    monkeypatch.setattr(end_watcher, "_in_flight", counted)
    tasks = [make_task(number) for number in range(20)]
    threads = [wait_in_thread(watcher, task.pk) for task in tasks]
    wait_for(lambda: 20 in asked)
    for task in tasks:
        lifecycle.cancel(task.pk, by="a test")
    for thread in threads:
        thread.join()


def test_the_wait_goes_on_while_the_database_is_away(watcher, monkeypatch):
    in_flight, faults = end_watcher._in_flight, [OperationalError("away"), OperationalError("away")]

    def faulty(task_ids):
        if faults:
            raise faults.pop()
        return in_flight(task_ids)

    monkeypatch.setattr(end_watcher, "_in_flight", faulty)
    task = make_task(1)
    thread = wait_in_thread(watcher, task.pk)
    wait_for(lambda: not faults)
    assert thread.is_alive()
    lifecycle.cancel(task.pk, by="a test")
    thread.join()


def test_a_wait_ends_when_its_client_has_left(watcher):
    task, has_left = make_task(1), threading.Event()

    def wait():
        with end_watcher.waiting_for_client(has_left.is_set):
            watcher.wait(task.pk, deadline=time.monotonic() + LONG_SECONDS)

    leaving, patient = threading.Thread(target=wait), wait_in_thread(watcher, task.pk)
    leaving.start()
    has_left.set()
    leaving.join()
    assert patient.is_alive()
    task.delete()
    patient.join()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite tells whether anything was written")
def test_without_a_write_no_rows_are_read(watcher, monkeypatch):
    reads, versions = [], []
    in_flight = end_watcher._in_flight

    def read(task_ids):
        reads.append(task_ids)
        return in_flight(task_ids)

    def version(connection):
        versions.append(sqlite_changes.data_version(connection))
        return versions[-1]

    monkeypatch.setattr(end_watcher, "_in_flight", read)
    monkeypatch.setattr(end_watcher, "data_version", version)
    task = make_task(1)
    thread = wait_in_thread(watcher, task.pk)
    wait_for(lambda: len(versions) >= 5)
    assert len(reads) <= len(set(versions))
    lifecycle.cancel(task.pk, by="a test")
    thread.join()
