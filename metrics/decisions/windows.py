"""The counts of a window of time, and the readings of thresholds; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from metrics.decisions.criteria import Statistic
from metrics.decisions.limits_file import Threshold
from metrics.decisions.statistics import count_over, deviation, quantile
from metrics.decisions.threshold_state import Reading
from metrics.durations import Epoch


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Samples of a window: cumulative count up to each bound (``inf`` included), and their sum in seconds."""

    buckets: Mapping[float, float]
    sum_seconds: float

    @property
    def count(self) -> float:
        """Return the number of samples."""
        return self.buckets[max(self.buckets)] if self.buckets else 0.0


@dataclass(frozen=True, kw_only=True)
class Window:
    """Everything counted in one window; ``at`` is when the data were taken, in seconds since 1970."""

    at: Epoch
    histograms: Mapping[str, Histogram] = field(default_factory=dict)
    counters: Mapping[str, float] = field(default_factory=dict)
    gauges: Mapping[str, float] = field(default_factory=dict)


def reading_for(threshold: Threshold, window: Window | None) -> Reading:
    """Return a threshold's reading of a window; without a value if the window has no data for it."""
    if window is None:
        return Reading(value=None)
    criterion = threshold.criterion
    if criterion.kind == Statistic.GAUGE:
        return Reading(value=window.gauges.get(criterion.metrics[0]), at=window.at)
    if criterion.kind == Statistic.RATIO:
        return _ratio(window, *criterion.metrics)
    histogram = window.histograms.get(criterion.metrics[0])
    if histogram is None:
        return Reading(value=None)
    return _of_histogram(threshold, histogram, window.at)


def _ratio(window: Window, part: str, whole: str) -> Reading:
    if whole not in window.counters:
        return Reading(value=None)
    samples, events = window.counters[whole], window.counters.get(part, 0.0)
    value = min(1.0, events / samples) if samples else 0.0
    return Reading(value=value, samples=samples, events_over=events, at=window.at)


def _of_histogram(threshold: Threshold, histogram: Histogram, at: Epoch) -> Reading:
    count, criterion = histogram.count, threshold.criterion
    if threshold.over_seconds is not None:
        over = count_over(histogram.buckets, threshold.over_seconds) if count else 0.0
        value: float | None = (
            over if criterion.kind == Statistic.COUNT_OVER else (over / count if count else 0.0)
        )
        return Reading(value=value, samples=count, events_over=over, at=at)
    if criterion.kind == Statistic.MEAN:
        value = histogram.sum_seconds / count if count else 0.0
    else:
        value = quantile(histogram.buckets, criterion.quantile) or 0.0
    return Reading(
        value=value,
        samples=count,
        events_over=_over_limit(threshold, histogram),
        deviation=deviation(histogram.buckets),
        at=at,
    )


def _over_limit(threshold: Threshold, histogram: Histogram) -> float:
    """Return how many samples are over the limit, or over the next bound below it."""
    bounds = [bound for bound in histogram.buckets if bound <= threshold.limit]
    return count_over(histogram.buckets, max(bounds)) if bounds else histogram.count
