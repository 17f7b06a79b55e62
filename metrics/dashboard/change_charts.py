"""A small chart beside each change of the mode: the p95 response time before and after it."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import cachetools
from cachetools import TTLCache
from django.db.models.fields.json import KeyTransform

from metrics.dashboard import presentation
from metrics.decisions.criteria import Unit
from metrics.models import Evaluation, ModeChange

SERIES = "request_p95_seconds"  # as clients saw it, in both modes
AROUND = timedelta(minutes=15)
CACHE_SECONDS = 15.0
MAX_CACHED = 64
WIDTH, HEIGHT = 160, 36

type Point = tuple[datetime, float | None]


@dataclass(frozen=True, kw_only=True)
class ChangeChart:
    """The shapes of one chart, WIDTH × HEIGHT, and its texts.

    ``line`` is the ``d`` of an SVG path; ``change_x`` and ``limit_y`` are where the change and the limit lie;
    the band of queue mode begins at ``band_x`` and is ``band_width`` wide.
    """

    line: str
    change_x: float
    band_x: float
    band_width: float
    limit_y: float | None
    before: str
    after: str


def clear_cache() -> None:
    """Clear the cache, so that the next chart reads current data."""
    chart_of.cache_clear()


@cachetools.cached(
    TTLCache(maxsize=MAX_CACHED, ttl=CACHE_SECONDS),
    key=lambda change, limit: (change.pk, limit),
    condition=threading.Condition(),
)
def chart_of(change: ModeChange, limit: float | None) -> ChangeChart | None:
    """Return the chart of a change, or None with fewer than two values around it; ``limit`` in seconds."""
    rows = Evaluation.objects.filter(at__gte=change.at - AROUND, at__lte=change.at + AROUND).order_by("at")
    pairs = rows.annotate(pair=KeyTransform(SERIES, "values")).values_list("at", "pair")
    return draw([(at, pair[0] if pair else None) for at, pair in pairs], change.at, change.after, limit)


def draw(points: Sequence[Point], at: datetime, after: str, limit: float | None) -> ChangeChart | None:
    """Return the chart of a series around a change at ``at`` to the mode ``after``; None without a line."""
    values = [value for _, value in points if value is not None]
    if len(values) < 2:
        return None
    top = max(*values, (limit or 0) * 4 / 3)
    begin, seconds = points[0][0], max(1.0, (points[-1][0] - points[0][0]).total_seconds())

    def x_of(moment: datetime) -> float:
        return round(min(1.0, max(0.0, (moment - begin).total_seconds() / seconds)) * WIDTH, 1)

    change_x = x_of(at)
    band = (change_x, WIDTH - change_x) if after == "queue" else (0.0, change_x)
    return ChangeChart(
        line=_path([(x_of(moment), value) for moment, value in points], top),
        change_x=change_x,
        band_x=band[0],
        band_width=round(band[1], 1),
        limit_y=round(HEIGHT - limit / top * HEIGHT, 1) if limit else None,
        before=_text(_last([value for moment, value in points if moment <= at])),
        after=_text(_last([value for moment, value in points if moment > at])),
    )


def _path(points: Sequence[tuple[float, float | None]], top: float) -> str:
    path, pen = [], "M"
    for x, value in points:
        if value is not None:
            path.append(f"{pen}{x} {HEIGHT - value / top * HEIGHT:.1f}")
        pen = "M" if value is None else "L"
    return "".join(path)


def _last(values: Sequence[float | None]) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)


def _text(value: float | None) -> str:
    return presentation.figure(value, Unit.SECONDS)
