"""How many letters may be sent now: the windows of a limit follow each other and keep it."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st

from documents.tasks.cycles import rate_limit

LIMITS = st.integers(min_value=1, max_value=100_000)
MOMENTS = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(LIMITS, MOMENTS)
def test_a_window_holds_its_moment_and_its_share_of_the_limit(per_minute, now):
    window = rate_limit.current_window(per_minute, now)
    length_seconds = (window.ends_at - window.began_at).total_seconds()
    assert window.began_at - timedelta(milliseconds=1) <= now <= window.ends_at + timedelta(milliseconds=1)
    assert abs(window.size / length_seconds * 60 - per_minute) < 0.01 * per_minute


@given(LIMITS, MOMENTS)
def test_windows_follow_each_other_without_a_gap(per_minute, now):
    window = rate_limit.current_window(per_minute, now)
    following = rate_limit.current_window(per_minute, window.ends_at + timedelta(milliseconds=2))
    assert abs(following.began_at - window.ends_at) < timedelta(milliseconds=1)


def test_usual_limits():
    now = datetime(2026, 7, 1, 12, 0, 13, tzinfo=UTC)
    window = rate_limit.current_window(120, now)
    assert (window.size, window.began_at.second, window.ends_at.second) == (20, 10, 20)
    assert rate_limit.current_window(1, now).ends_at - now == timedelta(seconds=47)
