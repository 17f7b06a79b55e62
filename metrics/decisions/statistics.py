"""The statistics that decisions use; pure."""

import math
from collections.abc import Mapping, Sequence
from statistics import StatisticsError, correlation, fmean, linear_regression

Z_90 = 2.3263
MIN_TREND_POINTS = 8


def wilson_lower(events: float, samples: float, z: float = Z_90) -> float:
    """Return the lower confidence bound of the share ``events`` of ``samples`` (Wilson, 1927)."""
    if samples <= 0:
        return 0.0
    share = min(1.0, events / samples)
    spread = z * math.sqrt(share * (1 - share) / samples + z * z / (4 * samples * samples))
    return max(0.0, (share + z * z / (2 * samples) - spread) / (1 + z * z / samples))


def quantile(buckets: Mapping[float, float], q: float) -> float | None:
    """Return a quantile of a histogram, as PromQL's ``histogram_quantile`` does; None without samples.

    ``buckets`` maps each upper bound, ``inf`` included, to the cumulative count up to it. A quantile beyond
    the last finite bound is that bound.
    """
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0.0
    if total <= 0:
        return None
    rank, low, below = q * total, 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= rank and buckets[bound] > below:
            if math.isinf(bound):
                return low
            return low + (bound - low) * (rank - below) / (buckets[bound] - below)
        low, below = bound, buckets[bound]
    return low


def count_over(buckets: Mapping[float, float], bound: float) -> float:
    """Return how many samples lie above a bucket's bound; ``bound`` must be one. Raises KeyError."""
    return buckets[max(buckets)] - buckets[bound]


def deviation(buckets: Mapping[float, float]) -> float:
    """Return the approximate standard deviation of a histogram, with each sample in the middle of its bucket."""
    low, below, count, total, squares = 0.0, 0.0, 0.0, 0.0, 0.0
    for bound in sorted(buckets):
        number, middle = buckets[bound] - below, low if math.isinf(bound) else (low + bound) / 2
        count, total, squares = count + number, total + number * middle, squares + number * middle**2
        low, below = bound, buckets[bound]
    return math.sqrt(max(0.0, squares / count - (total / count) ** 2)) if count else 0.0


def deviation_of(values: Sequence[float]) -> float:
    """Return the standard deviation of raw values, all of a population. Raises StatisticsError without any.

    ``statistics.pstdev`` counts in exact fractions, which was half of the time that an evaluation took.
    """
    mean = fmean(values)
    differences = [value - mean for value in values]
    return math.sqrt(math.sumprod(differences, differences) / len(values))


def quantile_of(values: Sequence[float], q: float) -> float | None:
    """Return a quantile of raw values: the smallest that at least the share ``q`` do not exceed."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(q * len(ordered)) - 1))]


def seconds_until(points: Sequence[tuple[float, float]], limit: float, *, fit: float = 0.5) -> float | None:
    """Return the seconds until a straight line through (seconds, value) reaches ``limit``; 0 if it has reached it.

    None if the line does not rise, or explains less than the share ``fit`` of the variance.
    """
    if len(points) < MIN_TREND_POINTS:
        return None
    now = points[-1][0]
    times, values = [at - now for at, _ in points], [value for _, value in points]
    try:
        slope, intercept = linear_regression(times, values)
        correlates = correlation(times, values) ** 2 >= fit
    except StatisticsError:  # all points have the same time or the same value
        return None
    return max(0.0, (limit - intercept) / slope) if slope > 0 and correlates else None
