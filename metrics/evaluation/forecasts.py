"""Forecasts: when values reach their limits at the trend of the last hour."""

from datetime import datetime, timedelta

from metrics.decisions.assessment import Assessment
from metrics.decisions.statistics import seconds_until as line_reaches
from metrics.models import Evaluation

TREND = timedelta(hours=1)
MAX_POINTS = 60
MAX_FORECAST_SECONDS = 86400.0


def seconds_until(assessment: Assessment, at: datetime) -> dict[str, float]:
    """Return the seconds until the limit for each threshold that rises steadily and reaches it within a day."""
    rows = Evaluation.objects.filter(at__gt=at - TREND, at__lte=at).order_by("at")
    rows_read = list(rows.values_list("at", "values"))
    rows_read = rows_read[:: max(1, len(rows_read) // MAX_POINTS)]
    forecast = {}
    for evaluation in assessment.judged:
        name, value = evaluation.threshold.name, evaluation.reading.value
        if value is None or value >= evaluation.threshold.limit:
            continue
        points = [
            (taken_at.timestamp(), values[name][0])
            for taken_at, values in rows_read
            if values.get(name, [None])[0] is not None
        ]
        seconds = line_reaches(points, evaluation.threshold.limit)
        if seconds is not None and seconds < MAX_FORECAST_SECONDS:
            forecast[name] = seconds
    return forecast
