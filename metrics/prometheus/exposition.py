"""``/metrics``: the counts of all processes of this host, for Prometheus."""

import contextlib
import hmac
import ipaddress
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from metrics import flag, instruments
from metrics.collection import activity, snapshots
from metrics.collection.feedback import complaints
from metrics.decisions import metric_names
from metrics.models import ModeState

GAUGES = {
    metric_names.QUEUE_DEPTH: "Tasks that wait for a worker.",
    metric_names.QUEUE_LAG_SECONDS: "Age of the oldest task that waits.",
    metric_names.QUEUE_WORKERS: "Live workers of the queue.",
    metric_names.PDFS_LAST_24H: "PDFs rendered in the last 24 hours.",
    metric_names.USERS_WAITED_LAST_24H: "People who waited longer than ten seconds for a PDF in the last 24 hours.",
    metric_names.USERS_ACTIVE: "People active in the last five minutes.",
    metric_names.COMPLAINTS_LAST_30D: "Complaints of users in the last 30 days.",
    metric_names.EVALUATOR_LAST_RUN: "When the thresholds were last evaluated.",
    metric_names.LIMITS_LOADED: "0 while the limits file is invalid.",
    metric_names.REQUESTS_IN_FLIGHT: "Requests of the API that are being served.",
    metric_names.DISK_FREE_BYTES: "Free space of the disk of SPMS_DATA_DIR.",
    metric_names.DISK_SIZE_BYTES: "Size of the disk of SPMS_DATA_DIR.",
    metric_names.LAST_BACKUP: "When `spms backup` last wrote an archive; missing until it did.",
    metric_names.RENDER_SLOTS: "PDFs that this host renders concurrently (SPMS_RENDER_SLOTS).",
}
REQUEST_COUNTERS = {
    metric_names.REQUESTS_STARTED,
    metric_names.REQUESTS_FINISHED,
    metric_names.REQUESTS_LOST,
}


class HostCollector:
    """The counts of all processes of this host, and gauges that are read from rows at scrape time.

    The files of the processes are merged once per scrape, which is most of its cost. While the database is
    unreachable, the gauges are left out.
    """

    def collect(self) -> Iterator[Metric]:
        """Yield each metric."""
        merged = list(snapshots.samples())
        yield from merged
        try:
            state = ModeState.objects.filter(pk=1).first() or ModeState()
            values, prerenders = _gauges(merged, state), instruments.provider().prerenders()
        except DatabaseError:
            return
        yield _routing_mode(state)
        yield from _of_prerenders(prerenders)
        for name, text in GAUGES.items():
            if name in values:
                yield GaugeMetricFamily(name, text, value=values[name])


def _routing_mode(state: ModeState) -> Metric:
    """Return the mode in force as a state set: 1 for this mode, 0 for the other."""
    family = GaugeMetricFamily(metric_names.ROUTING_MODE, "1 for the mode in force.", labels=("mode",))
    effective = flag.from_state(state).effective
    for mode in ("inline", "queue"):
        family.add_metric([mode], float(mode == effective))
    return family


def _of_prerenders(prerenders: instruments.Prerenders) -> Iterator[Metric]:
    """Yield the counters of PDFs made ahead, which are sums of the whole installation, the same on each host."""
    family = CounterMetricFamily(
        metric_names.PRERENDERS, "PDFs made ahead of a request, by what became of them.", labels=("outcome",)
    )
    for outcome, count in prerenders.outcomes.items():
        family.add_metric([outcome], count)
    yield family
    yield CounterMetricFamily(
        metric_names.PRERENDER_WASTED_SECONDS,
        "Time of the PDFs made ahead that were not used.",
        value=prerenders.wasted_seconds,
    )


def _gauges(merged: Iterable[Metric], state: ModeState) -> dict[str, float]:
    values = {
        **instruments.provider().gauges(),
        metric_names.USERS_ACTIVE: activity.active_users(),
        metric_names.COMPLAINTS_LAST_30D: complaints(),
        metric_names.LIMITS_LOADED: float(not state.limits_error),
        metric_names.REQUESTS_IN_FLIGHT: _requests_in_flight(merged),
        metric_names.RENDER_SLOTS: float(settings.SPMS_RENDER_SLOTS),
        **_data_folder(),
    }
    if state.evaluated_at:
        values[metric_names.EVALUATOR_LAST_RUN] = state.evaluated_at.timestamp()
    return {name: float(value) for name, value in values.items()}


def _data_folder() -> dict[str, float]:
    """Return the disk and the last backup of the data folder; what cannot be read is left out."""
    folder = Path(settings.SPMS_DATA_DIR)
    values: dict[str, float] = {}
    with contextlib.suppress(OSError):
        disk = shutil.disk_usage(folder)
        values |= {metric_names.DISK_FREE_BYTES: disk.free, metric_names.DISK_SIZE_BYTES: disk.total}
        values[metric_names.LAST_BACKUP] = (folder / metric_names.LAST_BACKUP_FILE).stat().st_mtime
    return values


def _requests_in_flight(merged: Iterable[Metric]) -> float:
    """Return how many requests have started and neither finished nor ended with their process."""
    counters: dict[str, float] = defaultdict(float)
    for family in merged:
        for sample in family.samples:
            if sample.name in REQUEST_COUNTERS:
                counters[sample.name] += sample.value
    ended = counters[metric_names.REQUESTS_FINISHED] + counters[metric_names.REQUESTS_LOST]
    return max(0.0, counters[metric_names.REQUESTS_STARTED] - ended)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics in Prometheus' text format, for this machine, for staff, and for clients with the token."""
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
    """Return True if the client runs on this machine and no proxy forwarded the request."""
    if "HTTP_X_FORWARDED_FOR" in request.META or "HTTP_FORWARDED" in request.META:
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
