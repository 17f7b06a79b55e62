"""Requests that begin PDFs go one after the other, and none waits while the one before it waits, or for long."""

import threading

import pytest

from documents.queue import admission
from tests.waiting import wait_for


class Request:
    """A thread that takes the turn, notes it in ``events``, and ends when it is told to."""

    def __init__(self, events, name, *, leaves=False):
        self._events, self._name, self._leaves = events, name, leaves
        self._may_end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        with admission.admitted():
            self._events.append(f"{self._name} began")
            if self._leaves:
                admission.leave()
            self._may_end.wait()
            self._events.append(f"{self._name} ended")

    def end(self):
        self._may_end.set()
        self._thread.join()


def test_the_next_request_begins_when_the_one_before_has_ended(monkeypatch):
    monkeypatch.setattr(admission, "MAX_WAIT_SECONDS", 60.0)
    events: list[str] = []
    first = Request(events, "first")
    wait_for(lambda: events)
    second = Request(events, "second")
    first.end()
    second.end()
    assert events == ["first began", "first ended", "second began", "second ended"]


def test_the_next_request_begins_when_the_one_before_waits():
    events: list[str] = []
    first = Request(events, "first", leaves=True)
    wait_for(lambda: events)
    Request(events, "second").end()
    first.end()
    assert events == ["first began", "second began", "second ended", "first ended"]


def test_a_request_that_takes_long_does_not_hold_up_the_others(monkeypatch):
    monkeypatch.setattr(admission, "MAX_WAIT_SECONDS", 0.01)
    events: list[str] = []
    first = Request(events, "first")
    wait_for(lambda: events)
    Request(events, "second").end()
    first.end()
    assert events == ["first began", "second began", "second ended", "first ended"]


def test_whoever_has_no_turn_ends_that_of_nobody(monkeypatch):
    monkeypatch.setattr(admission, "MAX_WAIT_SECONDS", 0.01)
    events: list[str] = []
    first = Request(events, "first")
    wait_for(lambda: events)
    admission.leave()
    with admission.admitted():
        assert admission._turn.locked()
    assert admission._turn.locked(), "the turn is still that of the first"
    first.end()
    assert not admission._turn.locked()


def test_an_error_gives_the_turn_back():
    with pytest.raises(KeyError), admission.admitted():
        raise KeyError
    assert not admission._turn.locked()
