"""Two days of evaluations with a busy hour in the queue, so that the pictures show what the charts are for."""

import math
from datetime import timedelta

from django.utils import timezone

from metrics.models import Evaluation, ModeChange, ModeState

EVERY_SECONDS = 15
TICKS = 5000
FIRST_IN_QUEUE, LAST_IN_QUEUE = 1620, 1330  # ticks ago
NEWER = 4


def fill():
    """Store the evaluations, and the two changes of the mode with their evidence."""
    now = timezone.now()
    Evaluation.objects.all().delete()  # ids rise with time, as in real life
    Evaluation.objects.bulk_create(_evaluation(now, ago) for ago in range(TICKS, NEWER, -1))
    for ago, before, after, reason in (
        (FIRST_IN_QUEUE, "inline", "queue", "queue, because of p95 response time: 6.1 s, limit 5 s"),
        (LAST_IN_QUEUE, "queue", "inline", "inline again: every limit has been kept for long enough"),
    ):
        ModeChange.objects.create(
            at=now - timedelta(seconds=EVERY_SECONDS * ago),
            before=before,
            after=after,
            setting="auto",
            actor="evaluator",
            reason=reason,
            evidence=_evidence(is_crossed=after == "queue"),
        )


def _evidence(*, is_crossed):
    report = ModeState.objects.get().report
    crossed = {"value": 6.1, "shown": "6.1 s", "state": "firing"} if is_crossed else {}
    entries = [
        entry | (crossed if entry["name"] == "p95_response_time" else {}) for entry in report["thresholds"]
    ]
    return {**report, "thresholds": entries}


def _evaluation(now, ago):
    busy = math.exp(-(((ago - 1500) / 260) ** 2))
    wave = 1 + 0.3 * math.sin(ago / 90) + 0.15 * math.sin(ago / 7)
    is_queued, p95 = LAST_IN_QUEUE < ago < FIRST_IN_QUEUE, 0.4 * wave + 5.6 * busy
    values = {
        "average_response_time": p95 / 4,
        "concurrent_users": round(18 * wave + 60 * busy),
        "offered_load": 0.08 * wave + 0.8 * busy,
        "pdf_generation_time": 0.9 * wave + busy,
        "pdfs_per_hour": 40 * wave + 700 * busy,
        "queue_depth": round(14 * busy) if is_queued else 0,
        "queue_lag_seconds": 20 * busy if is_queued else 0,
        "render_mean_seconds": 0.4 * wave,
        "render_p95_seconds": 0.9 * wave + busy,
        "request_p50_seconds": 0.08 * wave,
        "request_p95_seconds": 0.5 if is_queued else p95,
        "request_p99_seconds": 0.7 if is_queued else p95 * 1.2,
        "request_timeout_rate": 0.004 * busy,
        "requests_per_minute": 12 * wave + 90 * busy,
        "timeout_ratio": 0.004 * busy,
    }
    pairs = {name: [value, None] for name, value in values.items()}
    pairs["p95_response_time"] = [p95, p95 if is_queued else None]
    mode = "queue" if is_queued else "inline"
    return Evaluation(at=now - timedelta(seconds=EVERY_SECONDS * ago), mode=mode, values=pairs)
