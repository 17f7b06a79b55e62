"""From readings to states to the mode: nothing but fresh, sufficient, good data lowers the protection."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from metrics.decisions.limits_file import load_text
from metrics.decisions.switch import Queue, SwitchState, decide
from metrics.decisions.threshold_state import (
    MAX_HOLD_SECONDS,
    AlertState,
    Reading,
    ReadingVerdict,
    State,
    judge,
    verdict_on,
)

LIMITS = """
defaults: {routes_to_queue: true, for: 1m, keep_firing_for: 10m, min_samples: 20}
thresholds:
  p95_response_time: {limit: 5s}
  average_response_time: {limit: 2s}
  error_rate: {limit: 1%}
  concurrent_users: {limit: 500, routes_to_queue: false}
"""
P95, MEAN, ERRORS, USERS = load_text(LIMITS).thresholds
NOW = 1_800_000_000.0
WORKERS = Queue(live_workers=2, waiting=0)
CROSSED = Reading(value=7.0, samples=100, events_over=40, at=NOW)
NEAR = Reading(value=4.5, samples=100, events_over=2, at=NOW)
GOOD = Reading(value=1.0, samples=100, at=NOW)
THIN = Reading(value=1.0, samples=3, at=NOW)
NOTHING = Reading(value=None)
FIRING = AlertState(phase=State.FIRING, since=NOW - 1000, crossed_since=NOW - 1000, seen_at=NOW - 15)


def evaluate_all(readings, alert_state=None, threshold=P95, step=15.0):
    """Judge one reading after the other, every 15 seconds, and return the last."""
    evaluation, alert_state = None, alert_state or AlertState(since=NOW)
    for number, reading in enumerate(readings):
        at = NOW + number * step
        taken = replace(reading, at=at) if reading.value is not None else reading
        evaluation = judge(threshold, taken, alert_state, at)
        alert_state = evaluation.alert_state
    return evaluation


@pytest.mark.parametrize(
    ("threshold", "reading", "verdict"),
    [
        (P95, CROSSED, ReadingVerdict.CROSSED),
        (P95, NEAR, ReadingVerdict.BORDERLINE),
        (P95, GOOD, ReadingVerdict.HEALTHY),
        (P95, THIN, ReadingVerdict.TOO_FEW_SAMPLES),
        (P95, NOTHING, ReadingVerdict.NO_DATA),
        (P95, replace(GOOD, at=NOW - 61), ReadingVerdict.STALE),
        (P95, replace(GOOD, at=NOW + 61), ReadingVerdict.STALE),
        (P95, replace(CROSSED, samples=30, events_over=2), ReadingVerdict.BORDERLINE),
        (P95, replace(CROSSED, samples=100, events_over=7), ReadingVerdict.BORDERLINE),
        (MEAN, replace(CROSSED, value=2.1, deviation=4.0, events_over=30), ReadingVerdict.BORDERLINE),
        (MEAN, replace(CROSSED, value=4.0, deviation=4.0, events_over=30), ReadingVerdict.CROSSED),
        (ERRORS, replace(CROSSED, value=0.02, samples=100, events_over=2), ReadingVerdict.BORDERLINE),
        (ERRORS, replace(CROSSED, value=0.1, samples=100, events_over=10), ReadingVerdict.CROSSED),
        (USERS, Reading(value=501, at=NOW), ReadingVerdict.CROSSED),
        (USERS, Reading(value=500, at=NOW), ReadingVerdict.BORDERLINE),
        (USERS, Reading(value=400, at=NOW), ReadingVerdict.HEALTHY),
    ],
)
def test_what_one_reading_says(threshold, reading, verdict):
    assert verdict_on(threshold, reading, NOW) == verdict


def test_a_limit_fires_when_it_was_crossed_for_long_enough():
    states = [evaluate_all([CROSSED] * count).state for count in (1, 4, 5)]
    assert states == [State.PENDING, State.PENDING, State.FIRING]


def test_one_good_reading_ends_what_was_pending():
    assert evaluate_all([CROSSED, CROSSED, GOOD]).state == State.INACTIVE
    assert evaluate_all([CROSSED] * 3 + [GOOD] + [CROSSED] * 4).state == State.PENDING


def test_it_stops_firing_after_good_readings_for_long_enough():
    assert evaluate_all([GOOD] * 39, FIRING).is_firing
    assert not evaluate_all([GOOD] * 41, FIRING).is_firing


def test_near_the_limit_it_goes_on_firing():
    assert evaluate_all([NEAR] * 1000, FIRING).is_firing
    assert evaluate_all([GOOD] * 30 + [CROSSED] + [GOOD] * 30, FIRING).is_firing


def test_a_return_that_was_regretted_takes_longer_the_next_time():
    evaluation, alert_state = None, FIRING
    for number in range(45):
        at = NOW + 15.0 * number
        evaluation = judge(P95, replace(GOOD, at=at), alert_state, at, hold_multiplier=2)
        alert_state = evaluation.alert_state
    assert evaluation is not None
    assert evaluation.is_firing


@pytest.mark.parametrize(
    ("reading", "shown"),
    [(NOTHING, State.NO_DATA), (THIN, State.FIRING), (replace(GOOD, at=NOW - 99), State.STALE)],
)
def test_what_is_not_known_holds_and_is_named(reading, shown):
    evaluation = judge(P95, reading, FIRING, NOW)
    assert (evaluation.is_firing, evaluation.state) == (True, shown)
    waiting = judge(P95, reading, AlertState(since=NOW), NOW)
    assert not waiting.is_firing


def test_what_is_not_known_holds_for_two_hours_at_most():
    steps = int(MAX_HOLD_SECONDS / 15)
    assert evaluate_all([NOTHING] * (steps - 1), FIRING).is_firing
    assert not evaluate_all([NOTHING] * (steps + 2), FIRING).is_firing


def test_a_gap_in_the_data_resets_the_healthy_seconds():
    assert evaluate_all([GOOD] * 30 + [NOTHING] + [GOOD] * 30, FIRING).is_firing


READINGS = st.lists(st.sampled_from([CROSSED, NEAR, GOOD, THIN, NOTHING]), min_size=1, max_size=60)


@given(READINGS)
def test_without_good_data_nothing_that_fires_ever_stops(readings):
    readings_without_good = [reading for reading in readings if reading is not GOOD]
    evaluation = evaluate_all(readings_without_good, FIRING)
    assert evaluation is None or evaluation.is_firing


@given(READINGS)
def test_without_a_crossing_nothing_ever_fires(readings):
    evaluation = evaluate_all([reading for reading in readings if reading is not CROSSED])
    assert evaluation is None or not evaluation.is_firing


def firing(threshold=P95):
    return judge(threshold, CROSSED, FIRING, NOW)


def calm(threshold=P95):
    return judge(threshold, GOOD, AlertState(), NOW)


def test_what_fires_moves_work_to_the_queue_and_says_why():
    decision = decide([firing(), calm(MEAN)], SwitchState(), WORKERS, NOW)
    assert (decision.switch_state.mode, decision.switch_state.since) == ("queue", NOW)
    assert decision.reason == "queue, because of p95 response time: 7 s, limit 5 s"


def test_a_limit_that_moves_no_work_moves_none():
    high = judge(USERS, Reading(value=900, at=NOW), AlertState(phase=State.FIRING), NOW)
    assert high.is_firing
    assert decide([high], SwitchState(), WORKERS, NOW).switch_state.mode == "inline"


@pytest.mark.parametrize(
    ("queue", "said"),
    [
        (Queue(live_workers=0, waiting=0), "no worker is alive"),
        (Queue(live_workers=2, waiting=9, stalled_seconds=99), "nothing was taken from it for 99 s"),
    ],
)
def test_a_queue_that_does_not_work_is_not_used_and_that_is_an_alarm(queue, said):
    decision = decide([firing()], SwitchState(), queue, NOW)
    assert decision.switch_state.mode == "inline"
    assert said in decision.alarm


def test_it_returns_when_nothing_fires_and_the_backlog_is_gone():
    queued = SwitchState(mode="queue", since=NOW - 999)
    busy = decide([calm()], queued, Queue(live_workers=2, waiting=3), NOW)
    assert (busy.switch_state.mode, "3 waiting" in busy.reason) == ("queue", True)
    back = decide([calm()], queued, WORKERS, NOW)
    assert (back.switch_state.mode, back.switch_state.returned_at) == ("inline", NOW)
    assert decide([firing()], queued, WORKERS, NOW).switch_state.mode == "queue"


def test_each_regretted_return_doubles_the_time_before_the_next_up_to_four_hours():
    switch_state, factors = SwitchState(), []
    for _ in range(8):
        switch_state = decide([firing()], switch_state, WORKERS, NOW).switch_state
        factors.append(switch_state.hold_multiplier)
        switch_state = decide([calm()], switch_state, WORKERS, NOW).switch_state
    assert factors == [1, 2, 4, 8, 16, 24, 24, 24]
    later = decide([firing()], switch_state, WORKERS, NOW + 8000).switch_state
    assert later.hold_multiplier == 1
