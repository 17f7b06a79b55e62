"""The contexts of the dashboard's templates, which are the same for all viewers and cached briefly."""

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import cachetools
from cachetools import TTLCache
from django.db.models.fields.json import KeyTextTransform
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from metrics import flag, instruments
from metrics.dashboard import change_charts, history, presentation, recommendation
from metrics.evaluation import evaluator, report
from metrics.evaluation.report import ThresholdEntry
from metrics.models import ModeChange, ModeState

CHANGES = 20
SPARK = timedelta(hours=6)

# The most expensive parts change only with an evaluation, every 15 seconds.
LIVE_CACHE_SECONDS = 1.0
HISTORY_CACHE_SECONDS = 15.0
MAX_SERIES = 16


def clear_caches() -> None:
    """Clear the caches, so that the next request reads current data."""
    live.cache_clear()
    series.cache_clear()
    _recent_values.cache_clear()
    change_charts.clear_cache()


def state() -> ModeState:
    """Return the state of the mode, or its defaults before the first evaluation."""
    return ModeState.objects.filter(pk=1).first() or ModeState()


# With a condition, one thread computes the value while the others wait for it.
@cachetools.cached(TTLCache(maxsize=1, ttl=LIVE_CACHE_SECONDS), condition=threading.Condition())
def live() -> tuple[SafeString, str]:
    """Return the live part of the page as HTML, and its digest."""
    html = render_to_string("dashboard/_live.html", _of(state()))
    digest = hashlib.sha256(html.encode()).hexdigest()[:12]
    # Our own template, rendered with everything escaped.
    return mark_safe(html), digest  # noqa: S308  # nosec B308, B703


def _of(row: ModeState) -> dict[str, Any]:
    current, entries = flag.from_state(row), report.entries_from(row.report)
    numbers: Mapping[str, float] = row.report.get("numbers", {})
    is_fresh, age = presentation.freshness(row.evaluated_at, timezone.now())
    situation = recommendation.Situation(
        flag=current,
        is_fresh=is_fresh,
        live_workers=int(numbers.get("live_workers", 0)),
        waiting=int(numbers.get("waiting", 0)),
        alarm=row.alarm,
        is_dry_run=row.report.get("dry_run", False),
        render_load=numbers.get("render_load", 0.0),
        web_hosts=int(numbers.get("web_hosts", 0)),
        workers_elsewhere=int(numbers.get("workers_elsewhere", 0)),
    )
    return {
        "flag": current,
        "state": row,
        "answer": recommendation.recommend(situation, entries),
        "sentence": presentation.explanation(
            current,
            entries,
            _was(row),
            cause=row.report.get("cause", ""),
            hold_multiplier=evaluator.switch_state_from(row).hold_multiplier,
        ),
        "rows": presentation.rows(entries, _sparks(entries)),
        "is_fresh": is_fresh,
        "age": age,
        "is_dry_run": situation.is_dry_run,
        "numbers": numbers,
        "hosts": row.report.get("hosts", []),
        "prerenders": instruments.provider().prerenders(),
        "newest_change": ModeChange.objects.order_by("-pk").values_list("pk", flat=True).first() or 0,
        "source": row.report.get("source", ""),
        "limits_digest": row.report.get("limits", ""),
    }


def _was(row: ModeState) -> dict[str, str]:
    """Return the values that turned the queue on, as texts by the names of the thresholds."""
    change = ModeChange.objects.filter(at=row.since, after="queue", is_dry_run=False).first()
    entries = report.entries_from(change.evidence) if change else []
    return {entry.name: entry.shown for entry in entries if presentation.is_needed(entry)}


def _sparks(entries: Sequence[ThresholdEntry]) -> dict[str, str]:
    points = _recent_values()
    return {
        entry.name: presentation.sparkline_path([values.get(entry.name) for values in points], entry.limit)
        for entry in entries
    }


@cachetools.cached(TTLCache(maxsize=1, ttl=HISTORY_CACHE_SECONDS), condition=threading.Condition())
def _recent_values() -> list[dict[str, float | None]]:
    return history.recent_values(timezone.now(), SPARK.total_seconds())


@cachetools.cached(TTLCache(maxsize=MAX_SERIES, ttl=HISTORY_CACHE_SECONDS), condition=threading.Condition())
def series(seconds: float) -> str:
    """Return the points of the charts as JSON, with the limits in force."""
    return json.dumps({**history.columns(timezone.now(), seconds), "limits": _limits()})


def _limits() -> dict[str, float]:
    return {entry.name: entry.limit for entry in report.entries_from(state().report)}


def changes(before: int | None) -> dict[str, Any]:
    """Return a page of mode changes, newest first, and the id below which the next page begins."""
    rows = ModeChange.objects.defer("evidence").annotate(
        given_reason=KeyTextTransform("reason", "evidence"), until=KeyTextTransform("until", "evidence")
    )
    if before is not None:
        rows = rows.filter(pk__lt=before)
    page = list(rows.order_by("-pk")[: CHANGES + 1])
    limit = _limits().get("p95_response_time")
    shown = [
        {
            "change": change,
            "chart": change_charts.chart_of(change, limit),
            **presentation.reason_and_end(change.reason, given=change.given_reason, until=change.until),
        }
        for change in page[:CHANGES]
    ]
    return {"changes": shown, "older": page[CHANGES - 1].pk if len(page) > CHANGES else None}


def evidence(change: ModeChange) -> dict[str, Any]:
    """Return the evidence of a mode change."""
    return {
        "rows": presentation.rows(report.entries_from(change.evidence), {}),
        "limits_digest": change.evidence.get("limits", ""),
        "source": change.evidence.get("source", ""),
    }
