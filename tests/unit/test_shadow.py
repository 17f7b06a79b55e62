"""The shadow: what the same requests would have taken inline."""

import pytest
from hypothesis import given, strategies as st

from metrics.decisions.inline_model import (
    Arrival,
    ServerModel,
    headroom,
    latencies,
    scaled,
    simulate,
    what_if,
)

WORK = st.lists(
    st.builds(Arrival, st.floats(0, 100), st.floats(0.01, 20), st.booleans()), min_size=1, max_size=40
).map(sorted)


def machine(workers=2, slots=2, deadline=30.0):
    return ServerModel(web_threads=workers, render_slots=slots, deadline_seconds=deadline)


def simulated(work, workers):
    """Serve first come, first served by looking at every worker each time."""
    free, taken = [0.0] * workers, []
    for arrival in work:
        number = min(range(workers), key=free.__getitem__)
        free[number] = max(free[number], arrival.arrived_at) + arrival.service_seconds
        taken.append(free[number] - arrival.arrived_at)
    return taken


@given(WORK, st.integers(1, 5))
def test_it_is_what_serving_first_come_first_served_takes(work, workers):
    calculated = latencies(work, machine(workers, workers))
    assert calculated == pytest.approx(simulated(work, workers))


@given(WORK)
def test_nobody_is_served_faster_than_alone_and_more_workers_never_hurt_the_last_wait(work):
    few, many = latencies(work, machine(1, 1)), latencies(work, machine(50, 50))
    assert all(latency >= arrival.service_seconds - 1e-9 for latency, arrival in zip(few, work, strict=True))
    assert many == pytest.approx([arrival.service_seconds for arrival in work])


@given(WORK)
def test_fewer_render_slots_make_only_renders_wait_longer(work):
    assert sum(latencies(work, machine(4, 1))) >= sum(latencies(work, machine(4, 4))) - 1e-6


def test_a_render_waits_for_a_slot_while_other_requests_pass():
    work = [Arrival(0, 10, True), Arrival(1, 10, True), Arrival(2, 0.1, False)]
    assert latencies(work, machine(4, 1)) == pytest.approx([10, 19, 0.1])


def test_its_figures_are_those_of_the_latencies():
    latencies = simulate([Arrival(0, 40, True), Arrival(1, 1, False), Arrival(2, 1, False)], machine(2))
    assert latencies is not None
    assert (latencies.requests, latencies.over_deadline, latencies.p95_seconds) == (3, 1, 40)
    assert latencies.timeout_rate == pytest.approx(1 / 3)
    assert simulate([], machine()) is None


def test_headroom_is_the_traffic_at_which_the_limit_breaks():
    work = [Arrival(10.0 * n, 2.0, True) for n in range(60)]
    most = headroom(work, machine(1, 1), lambda latencies: latencies.p95_seconds <= 5)
    assert most == pytest.approx(5.0, rel=0.1)  # at five times the traffic the one worker is always busy
    assert headroom([], machine(), lambda _: True) is None


def test_what_if_answers_for_slower_renders_and_fewer_workers():
    work = [Arrival(3.0 * n, 2.0, True) for n in range(60)]
    slow = what_if(work, machine(1, 1), render_time=2.0)
    assert slow is not None
    assert slow.p95_seconds > 30
    assert what_if(work, machine(1, 4), web_threads=4, render_time=2.0).p95_seconds == pytest.approx(4)  # type: ignore[union-attr]
    assert scaled([], traffic=2) == []
