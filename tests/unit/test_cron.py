"""Cron expressions, also on the days when the clock changes, and any text at all."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from documents.exceptions import InvalidCronExpression
from documents.operations import cron

ADELAIDE = ZoneInfo("Australia/Adelaide")


# The days of changes: a gap and a repetition of an hour, of half an hour, at midnight, and a whole day left out.
CHANGES = [
    *(("Europe/Berlin", "2026-03-29"), ("Europe/Berlin", "2026-10-25")),
    *(("America/New_York", "2026-03-08"), ("America/New_York", "2026-11-01")),
    *(("Australia/Sydney", "2026-10-04"), ("Australia/Sydney", "2026-04-05")),
    *(("Australia/Lord_Howe", "2026-10-04"), ("Australia/Lord_Howe", "2026-04-05")),
    *(("America/Santiago", "2026-09-06"), ("America/Santiago", "2026-04-05")),
    *(("Pacific/Apia", "2011-12-30"), ("Pacific/Apia", "2011-09-24")),
]
# In steps of five minutes.
MINUTES, HOURS = ("*/5", "*/30", "15", "0,45", "10-50/20"), ("*", "*/2", "2", "0", "23", "1,2,3")


def midnight(day, zone):
    return datetime.fromisoformat(day).replace(tzinfo=zone)


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


@pytest.mark.parametrize("minute", ["*/30", "0,30", "0-59/30"])
def test_half_past_is_the_same_time_however_it_is_written(minute):
    zone = ZoneInfo("Europe/Berlin")
    spring = times(f"{minute} 2 * * *", datetime(2026, 3, 28, 12, tzinfo=zone), 3)
    autumn = times(f"{minute} 2 * * *", datetime(2026, 10, 24, 12, tzinfo=zone), 3)
    assert [f"{at:%d %H:%M%z}" for at in spring] == ["29 03:00+0200", "30 02:00+0200", "30 02:30+0200"]
    assert [f"{at:%d %H:%M%z}" for at in autumn] == ["25 02:00+0200", "25 02:30+0200", "26 02:00+0100"]


def numbers(field, count):
    """Return the numbers of a field that this test uses, read without the library."""
    span, _, step = field.partition("/")
    if span == "*":
        return set(range(0, count, int(step or 1)))
    first, _, last = span.partition("-")
    return (
        set(range(int(first), int(last) + 1, int(step))) if last else {int(part) for part in span.split(",")}
    )


def first_instants(minutes, hours, zone, start, end):
    """Return the instants at which the local clock first shows each of these times, or has passed it."""
    due, instants = start.astimezone(zone).replace(tzinfo=None), []
    instant = start
    while (instant := instant + timedelta(minutes=5)) <= end:
        clock = instant.astimezone(zone).replace(tzinfo=None)
        while due < clock:
            due += timedelta(minutes=5)
            if due.minute in minutes and due.hour in hours and instant not in instants:
                instants.append(instant)
    return instants


@pytest.mark.parametrize(("name", "day"), CHANGES)
@pytest.mark.parametrize("hour", HOURS)
@pytest.mark.parametrize("minute", MINUTES)
def test_every_time_of_the_clock_comes_once_whatever_the_clock_does(name, day, minute, hour):
    zone = ZoneInfo(name)
    start = (midnight(day, zone) - timedelta(hours=30)).astimezone(UTC)
    expected = first_instants(
        numbers(minute, 60), numbers(hour, 24), zone, start, start + timedelta(hours=80)
    )
    matches = times(f"{minute} {hour} * * *", start.astimezone(zone), len(expected))
    assert [at.astimezone(UTC) for at in matches] == expected


@pytest.mark.parametrize(("name", "day"), CHANGES)
@pytest.mark.parametrize("expression", ["*/20 * * * *", "30 1 * * *", "30 2 * * *", "30 23 * * *"])
def test_the_next_time_is_never_over_whenever_it_is_asked_for(name, day, expression):
    zone = ZoneInfo(name)
    start = (midnight(day, zone) - timedelta(hours=3)).astimezone(UTC)
    for quarter in range(48):
        instant = start + timedelta(minutes=15 * quarter)
        assert following(expression, instant.astimezone(zone)).astimezone(UTC) > instant


@pytest.mark.parametrize("day", ["2026-10-03", "2026-06-01"])
def test_whether_times_are_too_many_does_not_depend_on_the_day(day):
    cron.validate("5,55 2,3 * * *", midnight(day, ADELAIDE))


@given(st.text(max_size=60) | st.from_regex(r"([0-9*/,L#-]{1,6} ){4}[0-9*/,L#-]{1,6}", fullmatch=True))
def test_any_text_is_an_expression_or_refused(text):
    now = datetime(2026, 11, 25, tzinfo=ADELAIDE)
    try:
        cron.validate(text, now)
    except InvalidCronExpression:
        return
    assert following(text, now) > now
