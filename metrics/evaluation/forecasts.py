"""When a value reaches its limit, at the trend of the last hour."""

from datetime import datetime, timedelta

from metrics.decisions.assessment import Assessment
from metrics.decisions.statistics import seconds_until as line_reaches
from metrics.models import Evaluation

TREND = timedelta(hours=1)
MAX_POINTS = 60
MAX_FORECAST_SECONDS = 86400.0


def seconds_until(found: Assessment, at: datetime) -> dict[str, float]:
    """Return for each threshold that rises steadily the seconds until its limit, within a day."""
    rows = Evaluation.objects.filter(at__gt=at - TREND, at__lte=at).order_by("at")
    seen = list(rows.values_list("at", "values"))
    seen = seen[:: max(1, len(seen) // MAX_POINTS)]
    forecast = {}
    for one in found.judged:
        name, value = one.threshold.name, one.reading.value
        if value is None or value >= one.threshold.limit:
            continue
        points = [
            (taken_at.timestamp(), values[name][0])
            for taken_at, values in seen
            if values.get(name, [None])[0] is not None
        ]
        seconds = line_reaches(points, one.threshold.limit)
        if seconds is not None and seconds < MAX_FORECAST_SECONDS:
            forecast[name] = seconds
    return forecast
