"""``/metrics``: the counts of all processes of this host, for Prometheus."""

import hmac
import ipaddress
from collections.abc import Iterable, Iterator

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from metrics import flag, instruments
from metrics.collection import activity, snapshots
from metrics.collection.feedback import complaints
from metrics.models import ModeState

GAUGES = {
    "spms_queue_depth": "Tasks that wait for a worker.",
    "spms_queue_lag_seconds": "Age of the oldest task that waits.",
    "spms_queue_workers": "Live workers of the queue.",
    "spms_pdfs_last_day": "PDFs rendered in the last 24 hours.",
    "spms_users_waited_last_day": "People who waited longer than ten seconds for a PDF in the last 24 hours.",
    "spms_users_active": "People active in the last five minutes.",
    "spms_complaints_last_month": "Complaints of users in the last 30 days.",
    "spms_evaluator_age_seconds": "Time since the last evaluation.",
    "spms_mode_queue": "1 while work is routed to the queue, 0 while it is inline.",
    "spms_limits_file_bad": "1 while the limits file cannot be used and the last good limits are in force.",
    "spms_http_requests_in_flight": "Requests of the API that are being served.",
}


class Everything:
    """The counts of all processes of this host, and what is read from rows at the moment of the question.

    The files of the processes are merged once: that is what a scrape costs. The gauges are left out while the
    database is away.
    """

    def collect(self) -> Iterator[Metric]:
        """Yield each metric."""
        merged = list(snapshots.samples())
        yield from merged
        try:
            values = _gauges(merged)
        except DatabaseError:
            return
        for name, text in GAUGES.items():
            if name in values:
                yield GaugeMetricFamily(name, text, value=values[name])


def _gauges(merged: Iterable[Metric]) -> dict[str, float]:
    state = ModeState.objects.filter(pk=1).first() or ModeState()
    counters = {
        family.name: sum(sample.value for sample in family.samples if sample.name.endswith("_total"))
        for family in merged
        if family.name.startswith("spms_http_requests_")
    }
    started, *others = (
        counters.get(f"spms_http_requests_{name}", 0.0) for name in ("started", "finished", "lost")
    )
    values = {
        **instruments.facts().gauges(),
        "spms_users_active": activity.active_count(),
        "spms_complaints_last_month": complaints(),
        "spms_mode_queue": float(flag.of(state).effective == "queue"),
        "spms_limits_file_bad": float(bool(state.limits_error)),
        "spms_http_requests_in_flight": max(0.0, started - sum(others)),
    }
    if state.evaluated_at:
        values["spms_evaluator_age_seconds"] = (timezone.now() - state.evaluated_at).total_seconds()
    return {name: float(value) for name, value in values.items()}


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer in Prometheus' text format: to this machine, to staff, and to whoever has the token."""
    if not _may_read(request):
        return HttpResponse("Metrics are for this machine, staff, or a bearer token.\n", status=403)
    registry = CollectorRegistry()
    registry.register(Everything())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may_read(request: HttpRequest) -> bool:
    sent = request.headers.get("Authorization", "")
    token = settings.SPMS_METRICS_TOKEN
    if token and hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
        return True
    return _is_local(request) or bool(request.user.is_staff)


def _is_local(request: HttpRequest) -> bool:
    """Say whether this machine asks, and not a proxy on it for somebody else."""
    if "HTTP_X_FORWARDED_FOR" in request.META or "HTTP_FORWARDED" in request.META:
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
