"""What a report from parts takes alone: its waits for render slots, but not those while another part is drawn."""

import pytest
from hypothesis import given, strategies as st

from documents.rendering.parallel import DrawingTime, seconds_without_work

STEPS = st.lists(st.integers(0, 40), min_size=3, max_size=3).map(sorted)


def drawn(asked_at, begun_at, ended_at):
    return DrawingTime(asked_at=asked_at, begun_at=begun_at, ended_at=ended_at)


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        ([], 0),
        ([drawn(10, 10, 15)], 0),
        ([drawn(10, 12, 15)], 2),
        ([drawn(10, 12, 15), drawn(10, 14, 20)], 2),  # the second waits while the first is drawn
        ([drawn(10, 12, 13), drawn(10, 15, 20)], 4),  # both wait, then only the second
        ([drawn(10, 11, 12), drawn(20, 23, 24)], 4),  # nothing is asked for in between
    ],
)
def test_only_waits_without_work_count(times, seconds):
    assert seconds_without_work(times) == seconds


@given(st.lists(STEPS, max_size=8))
def test_it_is_the_number_of_seconds_that_have_a_wait_and_no_work(steps):
    times = [drawn(*step) for step in steps]
    idle = [
        second
        for second in range(40)
        if any(time.asked_at <= second < time.begun_at for time in times)
        and not any(time.begun_at <= second < time.ended_at for time in times)
    ]
    assert seconds_without_work(times) == len(idle)
