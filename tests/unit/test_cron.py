"""Cron expressions, also on the days when the clock changes, and any text at all."""

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from documents.exceptions import InvalidCronExpression
from documents.operations import cron

ADELAIDE = ZoneInfo("Australia/Adelaide")


def following(expression, after):
    match = cron.next_after(expression, after)
    assert match is not None
    return match


def times(expression, after, count):
    matches = [after]
    for _ in range(count):
        matches.append(following(expression, matches[-1]))
    return matches[1:]


def test_the_hour_stays_the_same_when_the_clock_changes():
    daily = times("0 7 * * *", datetime(2026, 10, 2, 12, tzinfo=ADELAIDE), 4)
    assert [at.hour for at in daily] == [7] * 4
    assert {later.date() - earlier.date() for earlier, later in pairwise(daily)} == {timedelta(days=1)}


@pytest.mark.parametrize(
    "day", [datetime(2026, 10, 3, 12, tzinfo=ADELAIDE), datetime(2026, 4, 4, 12, tzinfo=ADELAIDE)]
)
def test_an_hour_that_is_left_out_or_comes_twice_is_used_once(day):
    matches = times("30 2 * * *", day, 3)
    assert len({at.date() for at in matches}) == 3


def test_a_leap_day_is_waited_for():
    assert following("0 0 29 2 *", datetime(2026, 3, 1, tzinfo=ADELAIDE)).year == 2028


def test_names_and_small_letters_are_understood():
    assert following("0 7 * * mon", datetime(2026, 11, 25, tzinfo=ADELAIDE)).weekday() == 0


@given(st.text(max_size=60) | st.from_regex(r"([0-9*/,L#-]{1,6} ){4}[0-9*/,L#-]{1,6}", fullmatch=True))
def test_any_text_is_an_expression_or_refused(text):
    now = datetime(2026, 11, 25, tzinfo=ADELAIDE)
    try:
        cron.validate(text, now)
    except InvalidCronExpression:
        return
    assert following(text, now) > now
