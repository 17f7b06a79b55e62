"""Requests that come in crowds take turns, and none waits while the one before it waits, or for long."""

import threading

import pytest
from django.db import connection
from django.test import RequestFactory

from documents.models import Task
from documents.queue import admission, end_watcher
from documents.queue.registry import TaskOutput
from spms import middleware
from tests.waiting import wait_for
from tests.working import replace_handler


class Request:
    """A thread that takes the turn, notes it in ``events``, and ends when it is told to."""

    def __init__(self, gate, events, name, *, leaves=False):
        self._gate, self._events, self._name, self._leaves = gate, events, name, leaves
        self._may_end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        with self._gate.admitted():
            self._events.append(f"{self._name} began")
            if self._leaves:
                admission.leave()
            self._may_end.wait()
            self._events.append(f"{self._name} ended")

    def end(self):
        self._may_end.set()
        self._thread.join()


@pytest.fixture
def gate():
    return admission.Gate()


def test_the_next_request_begins_when_the_one_before_has_ended(monkeypatch, gate):
    monkeypatch.setattr(admission, "MAX_WAIT_SECONDS", 60.0)
    events: list[str] = []
    first = Request(gate, events, "first")
    wait_for(lambda: events)
    second = Request(gate, events, "second")
    first.end()
    second.end()
    assert events == ["first began", "first ended", "second began", "second ended"]


def events_of_one_beside_another(gate, *, leaves=False):
    """Return what happens when a second request begins and ends before the first one ends."""
    events: list[str] = []
    first = Request(gate, events, "first", leaves=leaves)
    wait_for(lambda: events)
    Request(gate, events, "second").end()
    first.end()
    return events


def test_the_next_request_begins_when_the_one_before_waits(gate):
    events = events_of_one_beside_another(gate, leaves=True)
    assert events == ["first began", "second began", "second ended", "first ended"]


def test_a_request_that_takes_long_does_not_hold_up_the_others(monkeypatch, gate):
    monkeypatch.setattr(admission, "MAX_WAIT_SECONDS", 0.01)
    events = events_of_one_beside_another(gate)
    assert events == ["first began", "second began", "second ended", "first ended"]


def test_whoever_has_no_turn_ends_that_of_nobody(monkeypatch, gate):
    monkeypatch.setattr(admission, "MAX_WAIT_SECONDS", 0.01)
    events: list[str] = []
    first = Request(gate, events, "first")
    wait_for(lambda: events)
    admission.leave()
    with gate.admitted():
        assert gate._turn.locked()
    assert gate._turn.locked(), "the turn is still that of the first"
    first.end()
    assert not gate._turn.locked()


def test_an_error_gives_the_turn_back(gate):
    with pytest.raises(KeyError), gate.admitted():
        raise KeyError
    assert not gate._turn.locked()


@pytest.mark.parametrize(
    ("method", "path", "is_gated"),
    [
        ("POST", "/api/v1/documents/12/pdf/", True),
        ("GET", "/api/v1/tasks/0c37d9a2-0f4e-4c9c-8f55-6a4c0f1d3f0e/", True),
        ("GET", "/api/v1/documents/12/pdf/", False),
        ("GET", "/api/v1/documents/12/", False),
        ("PATCH", "/api/v1/documents/12/", False),
        ("POST", "/api/v1/tasks/0c37d9a2-0f4e-4c9c-8f55-6a4c0f1d3f0e/cancel/", False),
    ],
)
def test_only_what_comes_in_crowds_takes_turns(method, path, is_gated):
    request = RequestFactory().generic(method, path)
    assert (middleware._gate_of(request) is not None) == is_gated


def is_anybody_admitted():
    return any(gate._turn.locked() for *_, gate in middleware.GATES)


@pytest.mark.django_db(transaction=True)
def test_a_request_that_waits_for_its_pdf_lets_the_next_one_begin(api, plan, monkeypatch):
    def run(attempt):
        wait_for(lambda: not is_anybody_admitted())
        return TaskOutput(fingerprint=attempt.task.fingerprint)

    replace_handler(monkeypatch, run)
    assert api.post(f"/api/v1/documents/{plan.pk}/pdf/").status_code == 201


@pytest.mark.django_db(transaction=True)
def test_a_request_that_waits_for_a_task_lets_others_ask(api, plan):
    task = Task.objects.create(kind="pdf", document=plan, mode="queue", fingerprint="x")

    def wait():
        api.get(f"/api/v1/tasks/{task.pk}/?wait=60")
        connection.close()

    waiting = threading.Thread(target=wait)
    waiting.start()
    wait_for(lambda: task.pk in end_watcher.watcher()._waiting)
    assert not is_anybody_admitted()
    Task.objects.filter(pk=task.pk).update(status="cancelled")
    waiting.join()
