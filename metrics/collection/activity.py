"""Who was active when, to the minute: a row each, written at most once a minute."""

import logging
import time
from datetime import timedelta

from django.db import DatabaseError
from django.http import HttpRequest
from django.utils import timezone

from metrics.models import Presence

ACTIVE_WINDOW = timedelta(minutes=5)
WRITE_INTERVAL_SECONDS = 60.0
MAX_REMEMBERED = 10_000

logger = logging.getLogger(__name__)

_last_written: dict[int, float] = {}


def record_activity(request: HttpRequest) -> None:
    """Note that the request's user is active, if the request has one that is known already."""
    user = request.__dict__.get("user")
    if user is None or not _is_recent(request):
        return
    user_id = user.pk
    now = time.monotonic()
    if user_id is None or now - _last_written.get(user_id, float("-inf")) < WRITE_INTERVAL_SECONDS:
        return
    if len(_last_written) > MAX_REMEMBERED:
        _last_written.clear()
    _last_written[user_id] = now
    try:
        Presence.objects.update_or_create(user_id=user_id, defaults={"seen_at": timezone.now()})
    except DatabaseError as error:
        logger.warning("presence of user %s was not noted: %s", user_id, error)


def active_users() -> int:
    """Return how many people were active in the last five minutes."""
    return Presence.objects.filter(seen_at__gt=timezone.now() - ACTIVE_WINDOW).count()


def _is_recent(request: HttpRequest) -> bool:
    """Say whether the user is there already: asking a lazy one would cost a query."""
    return hasattr(request, "_cached_user") or not hasattr(request.__dict__["user"], "_wrapped")
