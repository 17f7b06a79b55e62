"""From readings and limits to states; pure: no clock, no input or output.

The states are those of Prometheus. Missing data, stale data and too few samples are separate verdicts. They neither
cross a limit nor count as healthy.
"""

import math
from dataclasses import dataclass, replace
from enum import StrEnum

from metrics.decisions.criteria import Statistic, Unit
from metrics.decisions.limits_file import Threshold
from metrics.decisions.statistics import Z_90, wilson_lower
from metrics.durations import Epoch

STALE_SECONDS = 60.0
MIN_EVENTS = 3
BORDERLINE_PENALTY = 0.5
MAX_HOLD_SECONDS = 7200.0


class State(StrEnum):
    """The state of a threshold."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    NO_DATA = "no_data"
    STALE = "stale"


class ReadingVerdict(StrEnum):
    """The verdict on one reading."""

    CROSSED = "crossed"
    BORDERLINE = "near the limit"
    HEALTHY = "healthy"
    TOO_FEW_SAMPLES = "too few samples"
    NO_DATA = "no data"
    STALE = "stale data"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A value over its window, with its evidence.

    ``value`` is in the criterion's unit (None: no data), ``events_over`` counts the samples over the limit,
    ``deviation`` is their standard deviation, ``at`` is when they were taken, in seconds since 1970.
    """

    value: float | None
    samples: float = 0.0
    events_over: float = 0.0
    deviation: float = 0.0
    at: Epoch = 0.0


@dataclass(frozen=True, kw_only=True)
class AlertState:
    """The state of a threshold between two evaluations; times in seconds since 1970."""

    phase: State = State.INACTIVE
    since: Epoch = 0.0
    crossed_since: Epoch | None = None
    good_seconds: float = 0.0
    seen_at: Epoch = 0.0
    unknown_since: Epoch | None = None


@dataclass(frozen=True, kw_only=True)
class ThresholdEvaluation:
    """The result for a threshold: its reading, its verdict, and its state before the next evaluation."""

    threshold: Threshold
    reading: Reading
    state: State
    verdict: ReadingVerdict
    alert_state: AlertState
    reason: str

    @property
    def is_firing(self) -> bool:
        """Whether the threshold fires, also while its present value is unknown."""
        return self.alert_state.phase == State.FIRING


def judge(
    threshold: Threshold,
    reading: Reading,
    alert_state: AlertState,
    now: Epoch,
    *,
    hold_multiplier: float = 1.0,
) -> ThresholdEvaluation:
    """Return the state of a threshold after a reading.

    ``hold_multiplier`` lengthens ``keep_firing_for`` after a premature return to inline.
    """
    verdict = verdict_on(threshold, reading, now)
    after = _remember(
        threshold,
        verdict,
        alert_state,
        now,
        keep_seconds=threshold.keep_firing_for_seconds * hold_multiplier,
        reading_is_over=reading.value is not None and reading.value > threshold.limit,
    )
    shown = {ReadingVerdict.NO_DATA: State.NO_DATA, ReadingVerdict.STALE: State.STALE}.get(
        verdict, after.phase
    )
    return ThresholdEvaluation(
        threshold=threshold,
        reading=reading,
        state=shown,
        verdict=verdict,
        alert_state=after,
        reason=_reason(threshold, reading, verdict, now),
    )


def verdict_on(threshold: Threshold, reading: Reading, now: Epoch) -> ReadingVerdict:
    """Return the verdict on one reading."""
    if reading.value is None:
        return ReadingVerdict.NO_DATA
    if abs(now - reading.at) > STALE_SECONDS:  # or from the future: a clock jumped
        return ReadingVerdict.STALE
    if is_sampled(threshold) and reading.samples < threshold.min_samples:
        return ReadingVerdict.TOO_FEW_SAMPLES
    if reading.value > threshold.limit:
        return ReadingVerdict.CROSSED if _is_sure(threshold, reading) else ReadingVerdict.BORDERLINE
    is_good = reading.value <= threshold.limit * threshold.recover_below
    return ReadingVerdict.HEALTHY if is_good else ReadingVerdict.BORDERLINE


def is_sampled(threshold: Threshold) -> bool:
    """Return True if the value is a statistic of samples, and False for an exact count."""
    return threshold.criterion.kind not in {Statistic.GAUGE, Statistic.COUNT_OVER}


def _is_sure(threshold: Threshold, reading: Reading) -> bool:
    """Return True if enough samples are over the limit, and more than chance explains."""
    if not is_sampled(threshold):
        return True
    if reading.events_over < MIN_EVENTS:
        return False
    criterion = threshold.criterion
    if criterion.kind == Statistic.MEAN:
        error = Z_90 * reading.deviation / math.sqrt(reading.samples)
        return (reading.value or 0.0) - error > threshold.limit
    allowed = 1 - criterion.quantile if criterion.kind == Statistic.QUANTILE else threshold.limit
    return wilson_lower(reading.events_over, reading.samples) > allowed


def _remember(
    threshold: Threshold,
    verdict: ReadingVerdict,
    alert_state: AlertState,
    now: Epoch,
    *,
    keep_seconds: float,
    reading_is_over: bool,
) -> AlertState:
    if verdict == ReadingVerdict.CROSSED:
        return _after_crossing(threshold, alert_state, now)
    if verdict in {ReadingVerdict.TOO_FEW_SAMPLES, ReadingVerdict.NO_DATA, ReadingVerdict.STALE}:
        return _after_unknown(verdict, alert_state, now)
    if alert_state.phase != State.FIRING:
        return _entered(AlertState(), State.INACTIVE, alert_state, now)
    if reading_is_over:
        return replace(alert_state, good_seconds=0.0, unknown_since=None, seen_at=now)
    passed = min(now - alert_state.seen_at, STALE_SECONDS) if alert_state.seen_at else 0.0
    good_seconds = max(
        0.0,
        alert_state.good_seconds
        + (passed if verdict == ReadingVerdict.HEALTHY else -passed * BORDERLINE_PENALTY),
    )
    if verdict == ReadingVerdict.HEALTHY and good_seconds >= keep_seconds:
        return _entered(AlertState(), State.INACTIVE, alert_state, now)
    return replace(alert_state, good_seconds=good_seconds, unknown_since=None, seen_at=now)


def _after_crossing(threshold: Threshold, alert_state: AlertState, now: Epoch) -> AlertState:
    crossed_since = alert_state.crossed_since if alert_state.crossed_since is not None else now
    has_lasted = now - crossed_since >= threshold.for_seconds
    phase = State.FIRING if has_lasted or alert_state.phase == State.FIRING else State.PENDING
    return _entered(AlertState(crossed_since=crossed_since, seen_at=now), phase, alert_state, now)


def _after_unknown(verdict: ReadingVerdict, alert_state: AlertState, now: Epoch) -> AlertState:
    """Hold the phase for a while; missing data restart the count of healthy seconds, too few samples do not."""
    unknown_since = alert_state.unknown_since if alert_state.unknown_since is not None else now
    if now - unknown_since >= MAX_HOLD_SECONDS:
        return replace(_entered(AlertState(), State.INACTIVE, alert_state, now), unknown_since=unknown_since)
    good_seconds = alert_state.good_seconds if verdict == ReadingVerdict.TOO_FEW_SAMPLES else 0.0
    phase = State.INACTIVE if alert_state.phase == State.PENDING else alert_state.phase
    return _entered(
        AlertState(good_seconds=good_seconds, seen_at=now, unknown_since=unknown_since),
        phase,
        alert_state,
        now,
    )


def _entered(values: AlertState, phase: State, before: AlertState, now: Epoch) -> AlertState:
    return replace(values, phase=phase, since=before.since if phase == before.phase else now)


def _reason(threshold: Threshold, reading: Reading, verdict: ReadingVerdict, now: Epoch) -> str:
    unit, limit = threshold.criterion.unit, threshold.limit
    if reading.value is None:
        return "nothing was measured"
    value = f"{show(reading.value, unit)}, limit {show(limit, unit)}"
    if verdict == ReadingVerdict.STALE:
        return f"{value}, but measured {abs(now - reading.at):.0f} s ago"
    if verdict == ReadingVerdict.TOO_FEW_SAMPLES:
        return f"{value}, but of {reading.samples:.0f} samples only (at least {threshold.min_samples})"
    if verdict == ReadingVerdict.BORDERLINE and reading.value > limit:
        return (
            f"{value}, but {reading.events_over:.0f} of {reading.samples:.0f} samples over it may be chance"
        )
    return value


def show(value: float, unit: Unit) -> str:
    """Return a value with its unit as a text."""
    if unit == Unit.SHARE:
        return f"{value * 100:.{2 if value < 0.01 else 3}g} %"
    if unit == Unit.SECONDS:
        return f"{value:.3g} s"
    return f"{value:,.0f}{' a ' + unit[1:] if unit else ''}"
