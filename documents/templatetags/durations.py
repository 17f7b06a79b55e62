"""Lengths of time to read: 0.8 s, 42 s, 12 min, 3 h, 5 d."""

from datetime import datetime

from django import template

register = template.Library()

STEPS = ((172_800.0, 86_400.0, "d"), (7_200.0, 3600.0, "h"), (120.0, 60.0, "min"))


@register.filter
def seconds(value: float | None) -> str:
    """Return a number of seconds to read, or a dash when it is not known."""
    if value is None:
        return "–"
    for least, unit_seconds, unit in STEPS:
        if value >= least:
            return f"{value / unit_seconds:.0f} {unit}"
    return f"{value:.0f} s" if value >= 10 else f"{max(0.0, value):.1f} s"


@register.filter
def duration(begin: datetime | None, end: datetime | None) -> str:
    """Return the time from one moment to another, to read."""
    return seconds((end - begin).total_seconds() if begin and end else None)
