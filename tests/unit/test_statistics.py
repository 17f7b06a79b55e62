"""The statistics that decisions rest on, against what is computed the long way."""

import math
import random

import pytest
from hypothesis import given, strategies as st

from metrics.decisions.criteria import DURATION_BUCKETS
from metrics.decisions.statistics import (
    count_over,
    deviation,
    quantile,
    quantile_of,
    seconds_until,
    wilson_lower,
)

BOUNDS = (*DURATION_BUCKETS, math.inf)
SECONDS = st.lists(st.floats(0.001, 500), min_size=1, max_size=300)


def histogram(values):
    return {bound: float(sum(value <= bound for value in values)) for bound in BOUNDS}


@given(SECONDS)
def test_a_quantile_is_in_the_bucket_of_the_true_one(values):
    true, estimate = quantile_of(values, 0.95), quantile(histogram(values), 0.95)
    assert true is not None
    assert estimate is not None
    low = max((bound for bound in BOUNDS if bound < true), default=0.0)
    assert low <= estimate <= min(bound for bound in BOUNDS if bound >= true)


@given(SECONDS, st.sampled_from(DURATION_BUCKETS))
def test_over_a_bound_is_exact(values, bound):
    assert count_over(histogram(values), bound) == sum(value > bound for value in values)


@given(SECONDS, st.sampled_from(DURATION_BUCKETS[:-1]))
def test_whether_the_p95_is_over_a_bound_is_exact(values, bound):
    under = sum(value <= bound for value in values)
    estimate = quantile(histogram(values), 0.95)
    assert estimate is not None
    if not math.isclose(under, 0.95 * len(values)):
        assert (estimate > bound) == (under < 0.95 * len(values))


def test_a_quantile_of_nothing_is_none():
    assert (quantile({}, 0.95), quantile(histogram([]), 0.95), quantile_of([], 0.95)) == (None, None, None)


def test_a_quantile_beyond_the_last_bound_is_that_bound():
    assert quantile(histogram([1e6]), 0.95) == DURATION_BUCKETS[-1]


@given(st.integers(1, 500), st.integers(0, 500))
def test_the_lower_bound_lies_between_zero_and_the_share(samples, events):
    events = min(events, samples)
    assert 0 <= wilson_lower(events, samples) <= events / samples + 1e-12


def test_few_samples_prove_little():
    assert wilson_lower(3, 30) < 0.05 < wilson_lower(30, 300)
    assert wilson_lower(0, 0) == 0


def test_the_deviation_is_about_the_true_one():
    values = [random.Random(1).uniform(0.1, 20) for _ in range(5)] + [
        random.Random(n).uniform(0.1, 20) for n in range(900)
    ]
    mean = sum(values) / len(values)
    true = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
    assert deviation(histogram(values)) == pytest.approx(true, rel=0.1)


def test_a_steady_rise_says_when_the_limit_is_reached():
    points = [(60.0 * n, 1.0 + 0.1 * n) for n in range(20)]
    assert seconds_until(points, 5.0) == pytest.approx((5.0 - points[-1][1]) / 0.1 * 60)


@pytest.mark.parametrize("values", [[2.0] * 20, [5.0 - 0.1 * n for n in range(20)], [1.0, 4.0] * 10, [1.0]])
def test_what_does_not_rise_steadily_has_no_forecast(values):
    assert seconds_until([(60.0 * n, value) for n, value in enumerate(values)], 9.0) is None
