"""The dashboard's answer to "Do I need a queue yet?", and what it tells the maintainer to do."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from metrics.dashboard.recommendation import Situation, is_close, recommend
from metrics.evaluation.report import ThresholdEntry
from metrics.flag import Flag

INLINE = Flag(setting="auto", effective="inline", since=datetime.now(UTC), reason="")
QUEUE = replace(INLINE, effective="queue")
USUAL = Situation(flag=INLINE, is_fresh=True, live_workers=2, waiting=0)


def entry(**values):
    usual = {"name": "p95_response_time", "unit": "s", "limit": 5.0, "value": 1.0, "state": "inactive"}
    return ThresholdEntry.from_json(usual | {"routes_to_queue": True} | values)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, "No"),
        ({"value": 4.5}, "Not yet, but soon"),
        ({"value": 4.5, "verdict": "too few samples"}, "No"),
        ({"value": 6.0, "state": "pending"}, "Not yet, but soon"),
        ({"forecast_seconds": 600.0}, "Not yet, but soon"),
        ({"forecast_seconds": 60_000.0}, "No"),
        ({"value": 6.0, "state": "firing"}, "Yes"),
        ({"value": 6.0, "state": "firing", "routes_to_queue": False}, "No"),
        ({"value": None, "state": "no_data"}, "Not known"),
    ],
)
def test_the_answer_follows_the_limits_that_move_work(values, text):
    others = [entry()] if not values.get("routes_to_queue", True) else []
    assert recommend(USUAL, [entry(**values), *others]).text == text


def test_nothing_is_known_of_old_figures():
    answer = recommend(replace(USUAL, is_fresh=False), [entry(state="firing")])
    assert (answer.text, answer.tone) == ("Not known", "unknown")
    assert "spms evaluate_thresholds" in answer.to_do


@pytest.mark.parametrize(
    ("situation", "to_do"),
    [
        (replace(USUAL, flag=QUEUE), "Nothing to do: the queue is working."),
        (replace(USUAL, live_workers=0), "Start workers: spms qcluster"),
        (replace(USUAL, flag=QUEUE, alarm="stalled"), "Check the workers"),
        (replace(USUAL, is_dry_run=True), "Set dry_run to false"),
        (replace(USUAL, flag=replace(INLINE, setting="inline")), "Let the limits decide"),
        (USUAL, "the next evaluation"),
    ],
)
def test_what_to_do_when_a_queue_is_needed(situation, to_do):
    assert to_do in recommend(situation, [entry(state="firing", value=6.0)]).to_do


FULL = replace(USUAL, render_load=0.9, web_hosts=1, workers_elsewhere=0)


@pytest.mark.parametrize(
    ("situation", "text", "to_do"),
    [
        (FULL, "Yes, on another host", "Add a worker host"),
        (replace(FULL, flag=QUEUE), "Yes, on another host", "only moves the wait"),
        (replace(FULL, live_workers=0), "Yes, on another host", "Start workers on another host"),
        (replace(FULL, workers_elsewhere=1), "Yes", "the next evaluation"),
        (replace(FULL, render_load=0.5), "Yes", "the next evaluation"),
        (replace(FULL, web_hosts=0), "Yes", "the next evaluation"),
        (replace(FULL, alarm="stalled"), "Yes, on another host", "Check the workers"),
    ],
)
def test_a_queue_on_a_full_machine_is_no_help(situation, text, to_do):
    answer = recommend(situation, [entry(state="firing", value=6.0)])
    assert answer.text == text
    assert to_do in answer.to_do


def test_before_a_full_machine_crosses_a_limit_a_worker_host_is_prepared():
    assert "Have a worker host ready" in recommend(FULL, [entry(value=4.5)]).to_do
    assert "on another host" in recommend(replace(FULL, live_workers=0), [entry(value=4.5)]).to_do


def test_what_to_do_when_none_is_needed():
    chosen = replace(QUEUE, setting="queue")
    assert recommend(USUAL, [entry()]).to_do == "Nothing to do."
    assert "an operator chose it" in recommend(replace(USUAL, flag=chosen), [entry()]).to_do
    assert "qcluster" in recommend(replace(USUAL, live_workers=0, waiting=3), [entry()]).to_do
    assert "qcluster" in recommend(replace(USUAL, live_workers=0), [entry(value=4.5)]).to_do


def test_a_queue_that_the_limits_have_not_released_is_still_needed():
    assert recommend(replace(USUAL, flag=QUEUE), [entry()]).text == "Yes"


def test_what_is_not_known_is_not_close():
    assert not is_close(entry(state="stale", value=4.9))
