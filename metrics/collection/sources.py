"""The sources of windows: this installation's snapshots, or a Prometheus server. Missing data are None."""

import json
import logging
import math
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any, Protocol

from metrics.collection import snapshots
from metrics.decisions import metric_names
from metrics.decisions.windows import Histogram, Window
from metrics.durations import Epoch, Monotonic

TIMEOUT_SECONDS = 3.0
MAX_BYTES = 5_000_000
API = 'route=~"api/v1/.+"'
OTHER = f'{API},route!~".+/pdf/"'
HISTOGRAMS = {
    metric_names.REQUEST_SECONDS: (metric_names.REQUEST_SECONDS, API),
    snapshots.OTHER_REQUESTS: (metric_names.REQUEST_SECONDS, OTHER),
    metric_names.RENDER_SECONDS: (metric_names.RENDER_SECONDS, ""),
    metric_names.REQUEST_QUEUE_SECONDS: (metric_names.REQUEST_QUEUE_SECONDS, ""),
}

logger = logging.getLogger(__name__)


class Source(Protocol):
    """A source of windows."""

    name: str

    def window(self, seconds: float, now: Epoch) -> Window | None:
        """Return the counts of the last ``seconds``, or None if they are not available."""


class SnapshotSource:
    """This installation's own snapshots."""

    name = "embedded"

    def window(self, seconds: float, now: Epoch) -> Window | None:
        """Return the window between two snapshots; None before the first snapshot."""
        return snapshots.window(seconds, now)


class PrometheusSource:
    """A Prometheus server that scrapes this installation."""

    def __init__(self, url: str) -> None:
        self.name = f"Prometheus at {url}"
        self._url = f"{url.rstrip('/')}/api/v1/query"

    def window(self, seconds: float, now: Epoch) -> Window | None:
        """Return the increases over the window; None if the server is unreachable or its answer is invalid."""
        try:
            return self._window(f"[{max(1, round(seconds))}s]", now)
        except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            logger.warning("%s gave no data: %s", self.name, error)
            return None

    def _window(self, length: str, now: Epoch) -> Window | None:
        at = self._number(f"max(timestamp({metric_names.REQUESTS_STARTED}))", now)
        if at is None:
            return None
        counters = {
            name: self._number(f"sum(increase({name}{length}))", now) or 0.0 for name in snapshots.COUNTERS
        }
        histograms = {
            name: self._histogram(metric, labels, length, now)
            for name, (metric, labels) in HISTOGRAMS.items()
        }
        return Window(at=at, histograms=histograms, counters=counters)

    def _histogram(self, metric: str, labels: str, length: str, now: Epoch) -> Histogram:
        buckets = {
            float(sample["metric"]["le"]): _finite(sample["value"][1])
            for sample in self._ask(f"sum by (le) (increase({metric}_bucket{{{labels}}}{length}))", now)
        }
        total = self._number(f"sum(increase({metric}_sum{{{labels}}}{length}))", now) or 0.0
        return Histogram(buckets=buckets or {math.inf: 0.0}, sum_seconds=total)

    def _number(self, query: str, now: Epoch) -> float | None:
        samples = self._ask(query, now)
        return _finite(samples[0]["value"][1]) if samples else None

    def _ask(self, query: str, now: Epoch) -> list[dict[str, Any]]:
        form = urllib.parse.urlencode({"query": query, "time": f"{now:.3f}"})
        with urllib.request.urlopen(f"{self._url}?{form}", timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310  # nosec B310
            body = json.loads(answer.read(MAX_BYTES))
        if body["status"] != "success":
            raise ValueError(body.get("error", "it did not succeed"))
        samples = body["data"]["result"]
        if not isinstance(samples, list):
            raise TypeError("the result is no list")
        return samples


def _finite(text: object) -> float:
    number = float(str(text))
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number")
    return number


class CircuitBreaker:
    """Skips a source for a while after it was slow or unreachable, so that evaluations stay short."""

    def __init__(self, source: Source, *, clock: Callable[[], Monotonic] = time.monotonic) -> None:
        self.name = source.name
        self._source, self._clock, self._rests_until = source, clock, 0.0

    def window(self, seconds: float, now: Epoch) -> Window | None:
        """Return the window of the source, or None while the source is skipped."""
        if self._clock() < self._rests_until:
            return None
        window = self._source.window(seconds, now)
        if window is None:
            self._rests_until = self._clock() + TIMEOUT_SECONDS
        return window
