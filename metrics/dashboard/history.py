"""Past evaluations as points of charts: a few hundred at most, whatever the range."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import batched
from typing import Any

from metrics.models import Evaluation, ModeChange

MAX_POINTS = 240
SPARK_POINTS = 48
# Evaluations that are read for each point, which shows the highest of them, so that no peak is missed.
READ_PER_POINT = 4
MAX_CHANGES = 200

type Sample = tuple[datetime, str, Mapping[str, Sequence[float | None]]]


def recent_values(now: datetime, seconds: float) -> list[dict[str, float | None]]:
    """Return the values of each threshold over the last ``seconds``, oldest first."""
    points = _points(now, seconds, SPARK_POINTS)
    return [{name: pair[0] for name, pair in values.items()} for _, _, values in points]


def columns(now: datetime, seconds: float) -> dict[str, Any]:
    """Return times (seconds since 1970), the value and the shadow of each series, and the mode changes.

    A point stands for the interval that ends there, and shows the highest value in it.
    """
    points = _points(now, seconds, MAX_POINTS)
    names = sorted({name for _, _, values in points for name in values})
    begin = now - timedelta(seconds=seconds)
    changes = ModeChange.objects.filter(at__gt=begin, at__lte=now, is_dry_run=False).order_by("-at")
    return {
        "times": [round(at.timestamp()) for at, _, _ in points],
        "modes": [mode for _, mode, _ in points],
        "values": {name: [values.get(name, (None, None))[0] for _, _, values in points] for name in names},
        "shadows": {
            name: shadows
            for name in names
            if any(shadows := [values.get(name, (None, None))[1] for _, _, values in points])
        },
        "changes": [
            {"at": at.timestamp(), "after": after}
            for at, after in reversed(changes.values_list("at", "after")[:MAX_CHANGES])
        ],
    }


def _points(now: datetime, seconds: float, most: int) -> list[Sample]:
    """Return at most ``most`` points, oldest first, each with the highest values of its interval."""
    read = _sampled(now, seconds, most * READ_PER_POINT)
    size = max(1, -(-len(read) // most))
    newest_first = batched(reversed(read), size)
    return [_highest(neighbours) for neighbours in newest_first][::-1]


def _highest(neighbours: Sequence[Sample]) -> Sample:
    """Return the newest of the samples with the highest values of all; in queue mode if any of them was."""
    if len(neighbours) == 1:
        return neighbours[0]
    at, mode, _ = neighbours[0]
    mode = "queue" if any(sample[1] == "queue" for sample in neighbours) else mode
    names = {name: None for _, _, values in neighbours for name in values}
    return (
        at,
        mode,
        {
            name: _highest_pair(values[name] for _, _, values in neighbours if name in values)
            for name in names
        },
    )


def _highest_pair(pairs: Iterable[Sequence[float | None]]) -> tuple[float | None, float | None]:
    first, second = zip(*pairs, strict=True)
    return _max(first), _max(second)


def _max(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _sampled(now: datetime, seconds: float, most: int) -> list[Sample]:
    """Return at most ``most`` evaluations at even steps of their ids: a month costs as much as an hour."""
    begin = now - timedelta(seconds=seconds)
    rows = Evaluation.objects.filter(at__gt=begin, at__lte=now)
    ends = [rows.order_by(order).values_list("pk", flat=True).first() for order in ("at", "-at")]
    if ends[0] is None or ends[1] is None:
        return []
    # The index on time gives the ends at once. Ids rise with time, or fall where old rows were inserted later.
    first, last = ends[0], ends[1]
    step = max(1, -(-(abs(last - first) + 1) // most)) * (1 if first > last else -1)
    sampled_pks = range(last, first + (1 if step > 0 else -1), step)
    evaluations = Evaluation.objects.filter(pk__in=sampled_pks).values_list("at", "mode", "values")
    return sorted((row for row in evaluations if begin < row[0] <= now), key=lambda row: row[0])
