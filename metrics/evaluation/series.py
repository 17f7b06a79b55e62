"""The series that an evaluation stores for the charts besides the thresholds: traffic, times and the queue; pure."""

from metrics.decisions import hosts, metric_names
from metrics.decisions.assessment import Observation, render_load
from metrics.decisions.statistics import quantile
from metrics.decisions.windows import Histogram, Window

GAUGES = {"queue_depth": metric_names.QUEUE_DEPTH, "queue_lag_seconds": metric_names.QUEUE_LAG_SECONDS}

type Pair = list[float | None]


def build_series(observation: Observation) -> dict[str, Pair]:
    """Return series by name as pairs like those of the thresholds: the observed value, and no shadow.

    They cover the last ``observation.work_seconds``. Names end in their units; None if nothing was counted.
    """
    window = observation.windows.get(observation.work_seconds)
    if window is None:
        return {}
    values = {
        **_of_requests(window, observation.work_seconds),
        **_of_renders(window, observation.work_seconds),
        **{name: window.gauges.get(metric) for name, metric in GAUGES.items()},
    }
    return {name: [None if value is None else float(f"{value:.4g}"), None] for name, value in values.items()}


def numbers(observation: Observation) -> dict[str, float]:
    """Return the dashboard's figures of the queue, which the evaluator reads once for all pages.

    ``render_load`` is the share of the render slots of all web hosts that the PDFs of the last
    ``observation.work_seconds`` take. ``web_hosts`` and ``workers_elsewhere`` count hosts that serve the web, and
    workers on other hosts.
    """
    window = observation.windows.get(observation.work_seconds)
    gauges = window.gauges if window else {}
    return {
        "waiting": observation.queue.waiting,
        "live_workers": observation.queue.live_workers,
        "lag_seconds": gauges.get(metric_names.QUEUE_LAG_SECONDS, 0.0),
        "pdfs_last_day": gauges.get(metric_names.PDFS_LAST_24H, 0.0),
        "render_load": round(render_load(observation), 3),
        "web_hosts": sum(host.serves_web for host in observation.hosts),
        "workers_elsewhere": hosts.workers_elsewhere(observation.hosts),
    }


def _of_requests(window: Window, seconds: float) -> dict[str, float | None]:
    """Return times as clients saw them, also while the thresholds use the shadow."""
    requests = window.histograms.get(metric_names.REQUEST_SECONDS)
    return {
        "request_p50_seconds": _quantile(requests, 0.5),
        "request_p95_seconds": _quantile(requests, 0.95),
        "request_p99_seconds": _quantile(requests, 0.99),
        "requests_per_minute": requests.count * 60 / seconds if requests else None,
        "timeout_ratio": _ratio(
            window.counters.get(metric_names.REQUESTS_TIMED_OUT),
            window.counters.get(metric_names.REQUESTS_STARTED),
        ),
    }


def _of_renders(window: Window, seconds: float) -> dict[str, float | None]:
    renders = window.histograms.get(metric_names.RENDER_SECONDS)
    return {
        "render_p95_seconds": _quantile(renders, 0.95),
        "render_mean_seconds": renders.sum_seconds / renders.count if renders and renders.count else None,
        "pdfs_per_hour": renders.count * 3600 / seconds if renders else None,
    }


def _quantile(histogram: Histogram | None, q: float) -> float | None:
    return quantile(histogram.buckets, q) if histogram else None


def _ratio(part: float | None, whole: float | None) -> float | None:
    if whole is None:
        return None
    return min(1.0, (part or 0.0) / whole) if whole else 0.0
