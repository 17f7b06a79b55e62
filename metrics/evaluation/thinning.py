"""Keep fewer evaluations the older they are: charts and forecasts of long ago need no more."""

from datetime import datetime, timedelta

from metrics.models import Evaluation

# How old an evaluation is, and how many seconds then share one: a minute after a day, an hour after a week.
STEPS = ((timedelta(days=1), 60), (timedelta(days=7), 3600))
# Looked at again, in case the evaluator was stopped; older ones have been thinned.
OVERLAP = timedelta(days=2)


def thin(at: datetime) -> int:
    """Delete evaluations that newer rules no longer keep at a time; return how many."""
    return sum(_thin(at - age, seconds) for age, seconds in STEPS)


def _thin(before: datetime, seconds: int) -> int:
    kept_slots: set[int] = set()
    surplus: list[int] = []
    rows = Evaluation.objects.filter(at__lt=before, at__gt=before - OVERLAP).order_by("at")
    for pk, evaluated_at in rows.values_list("pk", "at").iterator():
        slot = int(evaluated_at.timestamp() // seconds)
        if slot in kept_slots:
            surplus.append(pk)
        kept_slots.add(slot)
    return sum(
        Evaluation.objects.filter(pk__in=surplus[begin : begin + 500]).delete()[0]
        for begin in range(0, len(surplus), 500)
    )
