"""What people say: complaints of the last month."""

from datetime import timedelta

from django.utils import timezone

from metrics.models import Feedback

COMPLAINTS = timedelta(days=30)


def complaints() -> int:
    """Return the complaints of the last 30 days."""
    return Feedback.objects.filter(
        kind=Feedback.Kind.COMPLAINT, created_at__gt=timezone.now() - COMPLAINTS
    ).count()
