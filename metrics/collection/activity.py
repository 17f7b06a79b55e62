"""When each user was last active: one row per user, written at most once a minute."""

import logging
import threading
from datetime import timedelta

from cachetools import TTLCache
from django.db import DatabaseError
from django.http import HttpRequest
from django.utils import timezone

from metrics.models import Presence

ACTIVE_WINDOW = timedelta(minutes=5)
WRITE_INTERVAL_SECONDS = 60.0
MAX_REMEMBERED = 10_000

logger = logging.getLogger(__name__)

# The users whose row was written within the last minute.
_recently_written: TTLCache[int, bool] = TTLCache(maxsize=MAX_REMEMBERED, ttl=WRITE_INTERVAL_SECONDS)
_lock = threading.Lock()


def record_activity(request: HttpRequest) -> None:
    """Record that the request's user is active, if the user has been loaded already."""
    user = request.__dict__.get("user")
    if user is None or not _is_recent(request):
        return
    if user.pk is None or not _is_due(user.pk):
        return
    try:
        Presence.objects.update_or_create(user_id=user.pk, defaults={"seen_at": timezone.now()})
    except DatabaseError as error:
        logger.warning("the activity of user %s was not recorded: %s", user.pk, error)


def _is_due(user_id: int) -> bool:
    """Return True at most once a minute for each user."""
    with _lock:
        if user_id in _recently_written:
            return False
        _recently_written[user_id] = True
        return True


def clear_cache() -> None:
    """Forget whose activity was recorded within the last minute."""
    with _lock:
        _recently_written.clear()


def active_users() -> int:
    """Return how many people were active in the last five minutes."""
    return Presence.objects.filter(seen_at__gt=timezone.now() - ACTIVE_WINDOW).count()


def _is_recent(request: HttpRequest) -> bool:
    """Return True if the user has been loaded: loading a lazy user would cost a query."""
    return hasattr(request, "_cached_user") or not hasattr(request.__dict__["user"], "_wrapped")
