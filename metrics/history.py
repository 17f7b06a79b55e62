"""Past evaluations as points of charts: at most some hundreds, whatever the range."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from metrics.models import Evaluation, ModeChange

MOST_POINTS = 240
SPARK_POINTS = 48


def recent_values(now: datetime, seconds: float) -> list[dict[str, float | None]]:
    """Return the values of each threshold over the last ``seconds``, oldest first."""
    return [
        {name: pair[0] for name, pair in values.items()}
        for _, _, values in _sampled(now, seconds, SPARK_POINTS)
    ]


def columns(now: datetime, seconds: float) -> dict[str, Any]:
    """Return times (seconds since 1970) with the value and the shadow of each threshold, and the mode's bands."""
    sampled = _sampled(now, seconds, MOST_POINTS)
    names = sorted({name for _, _, values in sampled for name in values})
    begin = now - timedelta(seconds=seconds)
    changes = ModeChange.objects.filter(at__gt=begin, is_dry_run=False).order_by("at")
    return {
        "times": [round(at.timestamp()) for at, _, _ in sampled],
        "modes": [mode for _, mode, _ in sampled],
        "values": {name: [values.get(name, (None, None))[0] for _, _, values in sampled] for name in names},
        "shadows": {name: [values.get(name, (None, None))[1] for _, _, values in sampled] for name in names},
        "changes": [{"at": change.at.timestamp(), "after": change.after} for change in changes[:200]],
    }


def _sampled(now: datetime, seconds: float, most: int) -> Sequence[tuple[datetime, str, dict[str, Any]]]:
    """Return evaluations at even distances: only their keys are read for those in between."""
    keys = Evaluation.objects.filter(at__gt=now - timedelta(seconds=seconds), at__lte=now).order_by("at")
    every = list(keys.values_list("pk", flat=True))
    step = max(1, -(-len(every) // most))
    found = Evaluation.objects.filter(pk__in=every[::-step]).order_by("at")
    return list(found.values_list("at", "mode", "values"))
