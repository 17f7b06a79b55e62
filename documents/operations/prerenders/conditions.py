"""The conditions under which a PDF may be made ahead of a request: it must cost nobody anything."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, Sum
from django.utils import timezone

from documents.infrastructure import idleness
from documents.models import Cluster, Prerender, PrerenderState, Task
from documents.queue import hints
from metrics import flag

DAY = timedelta(days=1)
# It stops while fewer than MIN_USED of the last JUDGED were used.
JUDGED, MIN_USED = 100, 10

logger = logging.getLogger(__name__)


def find_obstacle(busy_percent: float) -> str:
    """Return why no PDF may be made ahead now, or an empty text.

    ``busy_percent`` is the part of the computing time of all cores that is in use on this host.
    """
    if obstacle := idleness.find_obstacle(busy_percent):
        return obstacle
    obstacles: tuple[tuple[str, Callable[[], bool]], ...] = (
        ("the mode is not inline by the limits", lambda: not (flag.is_auto() and flag.mode() == "inline")),
        ("no worker takes tasks", lambda: not hints.has_live_workers()),
        ("a task is due", lambda: Task.objects.due().exists()),
        ("each worker host makes one already", _are_hosts_taken),
        ("as many were made as a day may have", _is_day_full),
        ("too few of them were used", is_stopped),
    )
    return next((reason for reason, applies in obstacles if applies()), "")


def is_stopped() -> bool:
    """Return True while pre-rendering has stopped because few were used; a day later it begins again."""
    state, now = PrerenderState.current(), timezone.now()
    if stopped_until(state):
        return True
    if state.stopped_at is not None:
        PrerenderState.stop(None)
        return False
    outcomes = _last_outcomes(state)
    if len(outcomes) < JUDGED or outcomes.count(Prerender.Outcome.USED) >= MIN_USED:
        return False
    logger.warning("no PDFs are made ahead for a day: of the last %d too few were used", JUDGED)
    PrerenderState.stop(now)
    return True


def stopped_until(state: PrerenderState) -> datetime | None:
    """Return when pre-rendering begins again, or None if it has not stopped; a stop in the future does not count.

    Such a time means that a clock was set back.
    """
    is_stopped = state.stopped_at and state.stopped_at <= timezone.now() < state.stopped_at + DAY
    return state.stopped_at + DAY if state.stopped_at and is_stopped else None


def _last_outcomes(state: PrerenderState) -> list[str]:
    """Return the outcomes of the last JUDGED; one that nobody has asked for within a day counts as not used."""
    is_judged = Q(outcome__in=(Prerender.Outcome.USED, Prerender.Outcome.UNUSED)) | Q(
        outcome=Prerender.Outcome.READY, changed_at__lt=timezone.now() - DAY
    )
    judged = Prerender.objects.filter(is_judged, changed_at__gt=state.counted_from)
    return list(judged.order_by("-changed_at").values_list("outcome", flat=True)[:JUDGED])


def _are_hosts_taken() -> bool:
    hosts = {cluster.host for cluster in Cluster.objects.live()}
    return Task.objects.ahead().in_flight().count() >= len(hosts)


def _is_day_full() -> bool:
    now = timezone.now()
    # Rows in the future are from a clock that was set back: they count no longer.
    today = Prerender.objects.filter(begun_at__range=(now - DAY, now + timedelta(minutes=1)))
    begun = today.exclude(outcome=Prerender.Outcome.NEEDLESS).aggregate(total=Sum("attempts"))["total"] or 0
    return int(begun) >= settings.SPMS_PRERENDER_MAX_PER_DAY
