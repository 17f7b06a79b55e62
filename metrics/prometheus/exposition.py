"""``/metrics``: the counts of all processes of this host, for Prometheus."""

import hmac
import ipaddress
from collections.abc import Iterable, Iterator

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
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
    "spms_pdfs_last_24h": "PDFs rendered in the last 24 hours.",
    "spms_users_waited_last_24h": "People who waited longer than ten seconds for a PDF in the last 24 hours.",
    "spms_users_active": "People active in the last five minutes.",
    "spms_complaints_last_30d": "Complaints of users in the last 30 days.",
    "spms_evaluator_last_run_timestamp_seconds": "When the thresholds were last evaluated.",
    "spms_thresholds_config_last_reload_successful": "0 while the limits file is invalid.",
    "spms_http_requests_in_flight": "Requests of the API that are being served.",
}

ROUTING_MODE = "spms_routing_mode"


class HostCollector:
    """The counts of all processes of this host, and what is read from rows at the moment of the question.

    The files of the processes are merged once: that is what a scrape costs. The gauges are left out while the
    database is away.
    """

    def collect(self) -> Iterator[Metric]:
        """Yield each metric."""
        merged = list(snapshots.samples())
        yield from merged
        try:
            state = ModeState.objects.filter(pk=1).first() or ModeState()
            values = _gauges(merged, state)
        except DatabaseError:
            return
        yield _routing_mode(state)
        for name, text in GAUGES.items():
            if name in values:
                yield GaugeMetricFamily(name, text, value=values[name])


def _routing_mode(state: ModeState) -> Metric:
    """Return the mode in force as a state set: 1 for the one, 0 for the other."""
    family = GaugeMetricFamily(ROUTING_MODE, "1 for the mode in force.", labels=("mode",))
    effective = flag.from_state(state).effective
    for mode in ("inline", "queue"):
        family.add_metric([mode], float(mode == effective))
    return family


def _gauges(merged: Iterable[Metric], state: ModeState) -> dict[str, float]:
    counters = {
        family.name: sum(sample.value for sample in family.samples if sample.name.endswith("_total"))
        for family in merged
        if family.name.startswith("spms_http_requests_")
    }
    started, *others = (
        counters.get(f"spms_http_requests_{name}", 0.0) for name in ("started", "finished", "lost")
    )
    values = {
        **instruments.provider().gauges(),
        "spms_users_active": activity.active_users(),
        "spms_complaints_last_30d": complaints(),
        "spms_thresholds_config_last_reload_successful": float(not state.limits_error),
        "spms_http_requests_in_flight": max(0.0, started - sum(others)),
    }
    if state.evaluated_at:
        values["spms_evaluator_last_run_timestamp_seconds"] = state.evaluated_at.timestamp()
    return {name: float(value) for name, value in values.items()}


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer in Prometheus' text format: to this machine, to staff, and to whoever has the token."""
    if not _may_read(request):
        return HttpResponse("Metrics are for this machine, staff, or a bearer token.\n", status=403)
    registry = CollectorRegistry()
    registry.register(HostCollector())
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
