"""Every counter and histogram, declared once, and the provider of the other figures. Errors here fail no request."""

import contextlib
import functools
import logging
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prometheus_client import Counter, Histogram, values

from metrics.collection import process_slots
from metrics.decisions import metric_names
from metrics.decisions.criteria import DURATION_BUCKETS
from metrics.decisions.hosts import ClusterReport as ClusterReport
from metrics.decisions.inline_model import Arrival as Arrival
from metrics.decisions.switch import Queue as Queue
from metrics.durations import Epoch

# One set of files per slot instead of per process id. This must be set before the first metric is declared.
values.ValueClass = values.MultiProcessValue(process_identifier=process_slots.slot_name)  # type: ignore[no-untyped-call]

logger = logging.getLogger(__name__)

REQUEST_SECONDS = Histogram(
    metric_names.REQUEST_SECONDS,
    "Time until a request was answered, without the time that its client asked to wait.",
    ("method", "route", "status"),
    buckets=DURATION_BUCKETS,
)
STARTED = Counter(metric_names.REQUESTS_STARTED, "Requests of the API that were received.")
FINISHED = Counter(metric_names.REQUESTS_FINISHED, "Requests of the API that were answered.")
LOST = Counter(metric_names.REQUESTS_LOST, "Requests of the API that ended with their process.")
TIMED_OUT = Counter(
    metric_names.REQUESTS_TIMED_OUT,
    "Requests past the deadline, cut off with their process (killed), or given up by the client.",
    ("reason",),
)
FAILED = Counter(
    metric_names.REQUESTS_FAILED, "Requests of the API answered with 500 or above, but 503 and 504."
)
QUEUE_SECONDS = Histogram(
    metric_names.REQUEST_QUEUE_SECONDS,
    "Time that a request waited for a free web thread, by the X-Request-Start of the proxy.",
    buckets=DURATION_BUCKETS,
)
RENDER_SECONDS = Histogram(
    metric_names.RENDER_SECONDS, "Time to make a PDF.", ("kind", "mode"), buckets=DURATION_BUCKETS
)
RENDERS = Counter(metric_names.RENDERS, "Renders that ended.", ("kind", "mode", "outcome"))
PAGES = Counter(metric_names.RENDERED_PAGES, "Pages made.", ("kind",))
BYTES = Counter(metric_names.RENDERED_BYTES, "Bytes of PDF made.", ("kind",))
TASK_WAIT_SECONDS = Histogram(
    metric_names.TASK_WAIT_SECONDS,
    "Time that a task waited for its first worker.",
    ("kind",),
    buckets=DURATION_BUCKETS,
)
ROUTED = Counter(
    metric_names.TASKS_ROUTED, "PDFs by the rule that sent them inline or to the queue.", ("mode", "rule")
)
FEEDBACK = Counter(metric_names.FEEDBACK, "Feedback of users, by kind.", ("kind",))
EVALUATIONS = Counter(metric_names.EVALUATIONS, "Evaluations of the thresholds.", ("outcome",))

DEADLINE, KILLED, CLIENT = "deadline", "killed", "client"
TIMEOUT_REASONS = (DEADLINE, KILLED, CLIENT)


@dataclass(frozen=True, kw_only=True)
class Prerenders:
    """The PDFs made ahead of a request.

    Since the installation: ``outcomes`` counts them by what became of them, and ``wasted_seconds`` is the computing
    time of those that were not used. ``last_day`` has the same of the last 24 hours. ``ready_share`` is the share of
    the requests of the last 24 hours that found their PDF ready, or None without any. ``stopped_until`` is not None
    while it has stopped by itself.
    """

    outcomes: Mapping[str, int]
    wasted_seconds: float
    last_day: Mapping[str, int]
    wasted_seconds_last_day: float
    ready_share: float | None
    stopped_until: datetime | None


@dataclass(frozen=True, kw_only=True)
class MetricsProvider:
    """The figures that the app with the tasks provides; all times in seconds since 1970.

    ``kinds``: the kinds of documents, so that each has a counter from the start, at 0. ``arrivals(since)``: the PDFs
    requested since then, in order. ``any_queued(since)``: whether one of them went to the queue. ``gauges``: current
    values by the names of their metrics. ``clusters``: what the live clusters of workers report.
    ``pdfs_by_host(since)``: how many PDFs requested since then each host made or makes. ``prerenders``: the PDFs made
    ahead of a request.
    """

    kinds: Sequence[str]
    arrivals: Callable[[Epoch], Sequence[Arrival]]
    any_queued: Callable[[Epoch], bool]
    queue: Callable[[], Queue]
    gauges: Callable[[], Mapping[str, float]]
    clusters: Callable[[], Sequence[ClusterReport]]
    pdfs_by_host: Callable[[Epoch], Mapping[str, int]]
    prerenders: Callable[[], Prerenders]


_providers: list[MetricsProvider] = []


def register_provider(provided: MetricsProvider) -> None:
    """Register the provider; called once, when the app with the tasks is ready."""
    _providers[:] = [provided]


def provider() -> MetricsProvider:
    """Return the registered provider. Raises IndexError if there is none."""
    return _providers[0]


METRIC_ERRORS = (OSError, ValueError, RuntimeError)


def log_metric_error(error: Exception) -> None:
    """Log an error of counting."""
    logger.warning("not counted: %s", error)


@contextlib.contextmanager
def suppress_metric_errors() -> Iterator[None]:
    """Log errors of counting instead of raising them."""
    try:
        yield
    except METRIC_ERRORS as error:
        log_metric_error(error)


def recover_lost_requests() -> None:
    """Count the requests that ended with the last process of this slot, and create labels at zero."""
    with suppress_metric_errors():
        for reason in TIMEOUT_REASONS:
            TIMED_OUT.labels(reason)
        for kind in provider().kinds if _providers else ():
            for mode in ("inline", "queue"):
                _render_seconds(kind, mode)
                RENDERS.labels(kind, mode, "succeeded")
        lost = _value(STARTED) - _value(FINISHED) - _value(LOST)
        if lost > 0:
            LOST.inc(lost)
            TIMED_OUT.labels(KILLED).inc(lost)


def _value(counter: Any) -> float:
    return float(counter._value.get())


def observe_render(kind: str, mode: str, *, seconds: float, pages: int, size_bytes: int) -> None:
    """Count a rendered PDF."""
    with suppress_metric_errors():
        _render_seconds(kind, mode).observe(seconds)
        RENDERS.labels(kind, mode, "succeeded").inc()
        PAGES.labels(kind).inc(pages)
        BYTES.labels(kind).inc(size_bytes)


def count_render_failure(kind: str, mode: str, outcome: str) -> None:
    """Count a render that failed, by the slug of its error."""
    with suppress_metric_errors():
        RENDERS.labels(kind, mode, outcome).inc()


def observe_task_wait(kind: str, seconds: float) -> None:
    """Count the seconds that a task waited for its first worker."""
    with suppress_metric_errors():
        TASK_WAIT_SECONDS.labels(kind).observe(seconds)


def count_routed(mode: str, rule: str) -> None:
    """Count the mode of a PDF and the rule that chose it."""
    with suppress_metric_errors():
        ROUTED.labels(mode, rule).inc()


def exclude_client_wait(request: Any, seconds: float) -> None:
    """Exclude the seconds that a client asked to wait (``?wait=``, ``Prefer: wait``) from the request's time."""
    request.spms_asked_seconds = getattr(request, "spms_asked_seconds", 0.0) + seconds


def has_client_left(request: Any) -> bool:
    """Return True if the client has closed the connection; known only with gunicorn."""
    connection = request.META.get("gunicorn.socket")
    if connection is None:
        return False
    try:
        return bool(connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b"")
    except BlockingIOError:
        return False
    except (OSError, ValueError):
        return False


@functools.cache
def _render_seconds(kind: str, mode: str) -> Any:
    return RENDER_SECONDS.labels(kind, mode)
