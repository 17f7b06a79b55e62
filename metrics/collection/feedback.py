"""Feedback of users: the complaints of the last 30 days."""

from datetime import timedelta

from django.utils import timezone

from metrics.models import Feedback

COMPLAINTS = timedelta(days=30)


def complaints() -> int:
    """Return the number of complaints of the last 30 days."""
    return Feedback.objects.filter(
        kind=Feedback.Kind.COMPLAINT, created_at__gt=timezone.now() - COMPLAINTS
    ).count()
