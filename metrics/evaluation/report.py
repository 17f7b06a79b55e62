"""The report of an evaluation: the entries of ``GET thresholds/``, of the dashboard and of the evidence."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from metrics.decisions import inline_model
from metrics.decisions.assessment import Assessment
from metrics.decisions.criteria import Unit
from metrics.decisions.inline_model import ServerModel
from metrics.decisions.limits_file import Threshold
from metrics.decisions.threshold_state import ReadingVerdict, State, ThresholdEvaluation, show
from metrics.durations import Epoch


@dataclass(frozen=True, kw_only=True)
class ThresholdEntry:
    """A threshold in the report of an evaluation; shares as 0.01 for 1 %, times in seconds.

    ``shadow`` is the value that the same requests would have had inline; ``forecast_seconds`` is the time until
    the limit is reached; ``shown`` and ``reason`` are texts.
    """

    name: str
    limit: float
    unit: Unit
    state: State
    verdict: ReadingVerdict = ReadingVerdict.HEALTHY
    value: float | None = None
    shadow: float | None = None
    headroom: float | None = None
    since: datetime | None = None
    routes_to_queue: bool = False
    severity: str = "warning"
    recover_below: float = 0.8
    keep_seconds: float = 600.0
    samples: float = 0.0
    forecast_seconds: float | None = None
    description: str = ""
    shown: str = ""
    shown_limit: str = ""
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the entry as it is stored and as the API reads it."""
        return {**asdict(self), "since": self.since.isoformat() if self.since else None}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "ThresholdEntry":
        """Return a stored entry; what an older version did not store has its default."""
        names = {field.name for field in fields(cls)}
        values = {name: value for name, value in stored.items() if name in names}
        since = stored.get("since")
        values["since"] = datetime.fromisoformat(since) if since else None
        values["unit"], values["state"] = Unit(stored["unit"]), State(stored["state"])
        values["verdict"] = ReadingVerdict(stored.get("verdict", ReadingVerdict.HEALTHY))
        return cls(**values)


def entries_from(report: Mapping[str, Any]) -> list[ThresholdEntry]:
    """Return the entries of a stored report, or of the evidence of a change."""
    return [ThresholdEntry.from_json(stored) for stored in report.get("thresholds", [])]


def build_report(
    assessment: Assessment, machine: ServerModel, forecast: Mapping[str, float], now: Epoch
) -> list[ThresholdEntry]:
    """Return an entry for each threshold; ``now`` and ``forecast`` are in seconds."""
    return [
        _entry(evaluation, assessment, machine, forecast.get(evaluation.threshold.name))
        for evaluation in assessment.judged
    ]


def _entry(
    evaluation: ThresholdEvaluation, assessment: Assessment, machine: ServerModel, seconds_until: float | None
) -> ThresholdEntry:
    threshold, shadow = evaluation.threshold, assessment.shadows.get(evaluation.threshold.name)
    unit = threshold.criterion.unit
    reason = (
        f"{evaluation.verdict.value}: {evaluation.reason}"
        if evaluation.verdict != ReadingVerdict.HEALTHY
        else evaluation.reason
    )
    if seconds_until is not None:
        reason = f"{reason}; {forecast_text(seconds_until)}"
    return ThresholdEntry(
        name=threshold.name,
        description=describe(threshold),
        value=evaluation.reading.value,
        limit=threshold.limit,
        unit=unit,
        state=evaluation.state,
        verdict=evaluation.verdict,
        since=datetime.fromtimestamp(evaluation.alert_state.since, UTC)
        if evaluation.alert_state.since
        else None,
        shadow=shadow.value if shadow else None,
        headroom=headroom(threshold, evaluation.reading.value, assessment, machine),
        routes_to_queue=threshold.routes_to_queue,
        severity=threshold.severity,
        recover_below=threshold.recover_below,
        keep_seconds=threshold.keep_firing_for_seconds,
        samples=evaluation.reading.samples,
        forecast_seconds=seconds_until,
        shown="no data" if evaluation.reading.value is None else show(evaluation.reading.value, unit),
        shown_limit=show(threshold.limit, unit),
        reason=reason[:300],
    )


def describe(threshold: Threshold) -> str:
    """Return the description of a threshold, with the bound above which it counts."""
    over = show(threshold.over_seconds or 0.0, Unit.SECONDS)
    return threshold.criterion.description.replace("`over`", over)


def headroom(
    threshold: Threshold, value: float | None, assessment: Assessment, machine: ServerModel
) -> float | None:
    """Return how many times the present traffic would keep the limit, from the shadow for latencies.

    For other limits: how many times the value fits under the limit. At most 100; None if the value is unknown.
    """
    if threshold.criterion.is_latency and assessment.work:
        limits = {threshold.name: threshold.limit}
        most = inline_model.headroom(assessment.work, machine, lambda latencies: latencies.keeps(limits))
        return None if most is None else round(most, 2)
    if value is None:
        return None
    return round(min(100.0, threshold.limit / value), 2) if value > 0 else 100.0


def forecast_text(seconds: float) -> str:
    """Return a forecast as a text."""
    if seconds < 90:
        return "at the present trend the limit is reached within two minutes"
    if seconds < 5400:
        return f"at the present trend the limit is reached in about {seconds / 60:.0f} min"
    return f"at the present trend the limit is reached in about {seconds / 3600:.0f} h"


def values(assessment: Assessment) -> dict[str, list[float | None]]:
    """Return the value and the shadow of each threshold, for the charts."""
    return {
        evaluation.threshold.name: [
            _rounded(evaluation.reading.value),
            _rounded(_shadow_value(assessment, evaluation)),
        ]
        for evaluation in assessment.judged
    }


def _shadow_value(assessment: Assessment, evaluation: ThresholdEvaluation) -> float | None:
    shadow = assessment.shadows.get(evaluation.threshold.name)
    return shadow.value if shadow else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
