"""The current counts of this host, stored as rows, so that any window can be read, also after a restart."""

import itertools
import json
import math
import time
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client.multiprocess import MultiProcessCollector

from metrics.collection import process_slots
from metrics.decisions import metric_names
from metrics.decisions.windows import Histogram, Window
from metrics.durations import Epoch
from metrics.models import Snapshot

OTHER_REQUESTS = "other requests"
COUNTERS = (
    metric_names.REQUESTS_STARTED,
    metric_names.REQUESTS_TIMED_OUT,
    metric_names.REQUESTS_FAILED,
)
API = "api/v1/"
PDF_ROUTE = "/pdf/"
READ_ATTEMPTS = 5
FULL, THINNED, KEPT = timedelta(hours=1), timedelta(minutes=15), timedelta(days=31)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The counts of one host: cumulative buckets and sums of histograms (in seconds), and counters."""

    buckets: Mapping[str, Mapping[float, float]] = field(default_factory=dict)
    sums: Mapping[str, float] = field(default_factory=dict)
    counters: Mapping[str, float] = field(default_factory=dict)


def samples(*, accumulate: bool = True) -> Iterable[Any]:
    """Return the merged families of all processes of this host; retry while a file is being created.

    Raises OSError, ValueError or KeyError if a file still cannot be read at the last attempt.

    Without ``accumulate``, each bucket holds only its own samples, which is quicker.
    """
    for attempt in range(READ_ATTEMPTS):
        try:
            files = [str(path) for path in process_slots.folder().glob("*.db")]
            return list(MultiProcessCollector.merge(files, accumulate=accumulate))  # type: ignore[no-untyped-call]
        except (OSError, ValueError, KeyError):
            if attempt == READ_ATTEMPTS - 1:
                raise
            time.sleep(0.02)
    return []


def read_counts() -> Counts:
    """Return the counts of all processes of this host."""
    own: dict[str, dict[float, float]] = {}
    sums: dict[str, float] = {}
    counters = dict.fromkeys(COUNTERS, 0.0)
    for family in samples(accumulate=False):
        for sample in family.samples:
            for name in _names(family.name, sample.labels):
                if sample.name.endswith("_bucket"):
                    buckets = own.setdefault(name, {})
                    bound = float(sample.labels["le"])
                    buckets[bound] = buckets.get(bound, 0.0) + sample.value
                elif sample.name.endswith("_sum"):
                    sums[name] = sums.get(name, 0.0) + sample.value
            if sample.name in counters:
                counters[sample.name] += sample.value
    buckets_up_to = {
        name: dict(
            zip(
                sorted(own_buckets),
                itertools.accumulate(own_buckets[bound] for bound in sorted(own_buckets)),
                strict=True,
            )
        )
        for name, own_buckets in own.items()
    }
    return Counts(buckets=buckets_up_to, sums=sums, counters=counters)


def _names(family: str, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names under which a sample counts; requests outside of the API have none."""
    if family != metric_names.REQUEST_SECONDS:
        return (
            (family,) if family in {metric_names.RENDER_SECONDS, metric_names.REQUEST_QUEUE_SECONDS} else ()
        )
    route = labels["route"]
    if not route.startswith(API):
        return ()
    return (
        (metric_names.REQUEST_SECONDS,)
        if route.endswith(PDF_ROUTE)
        else (metric_names.REQUEST_SECONDS, OTHER_REQUESTS)
    )


def record(host: str, now: Epoch) -> Counts:
    """Store this host's counts as a row and return them."""
    counts = read_counts()
    Snapshot.objects.create(host=host, at=datetime.fromtimestamp(now, UTC), counts=pack(counts))
    return counts


def pack(counts: Counts) -> bytes:
    """Return counts as compressed JSON."""
    buckets = {
        name: {str(bound): n for bound, n in bounds.items()} for name, bounds in counts.buckets.items()
    }
    return zlib.compress(json.dumps([buckets, dict(counts.sums), dict(counts.counters)]).encode())


def unpack(packed: bytes) -> Counts:
    """Return the counts that ``pack`` compressed."""
    buckets, sums, counters = json.loads(zlib.decompress(packed))
    return Counts(
        buckets={name: {float(bound): n for bound, n in bounds.items()} for name, bounds in buckets.items()},
        sums=sums,
        counters=counters,
    )


def window(seconds: float, now: Epoch) -> Window | None:
    """Return the counts of all hosts in the last ``seconds``; None if there is no snapshot.

    Hosts without a snapshot in that time are left out. A window that begins before the first snapshot of a host
    begins at that snapshot.
    """
    at = datetime.fromtimestamp(now, UTC)
    hosts = Snapshot.objects.filter(at__lte=at + timedelta(seconds=5), at__gt=at - timedelta(seconds=seconds))
    parts, newest_at = [], 0.0
    for host in hosts.order_by().values_list("host", flat=True).distinct():
        rows = Snapshot.objects.filter(host=host, at__lte=at + timedelta(seconds=5))
        last = rows.order_by("-at").first()
        first = rows.filter(at__lte=at - timedelta(seconds=seconds)).order_by("-at").first() or (
            rows.order_by("at").first()
        )
        if last is None or first is None:
            continue
        newest_at = max(newest_at, last.at.timestamp())
        parts.append(difference(unpack(bytes(first.counts)), unpack(bytes(last.counts))))
    return _merge(parts, newest_at) if parts else None


def difference(first: Counts, last: Counts) -> Counts:
    """Return the difference of two snapshots; after a reset, the counts since the reset."""

    def less(before: Mapping[Any, float], after: Mapping[Any, float]) -> dict[Any, float]:
        is_reset = any(after.get(key, 0.0) < value for key, value in before.items())
        return {key: value - (0.0 if is_reset else before.get(key, 0.0)) for key, value in after.items()}

    buckets, sums = {}, {}
    for name, after in last.buckets.items():
        before = first.buckets.get(name, {})
        buckets[name] = less(before, after)
        is_reset = any(after.get(bound, 0.0) < value for bound, value in before.items())
        sums[name] = last.sums.get(name, 0.0) - (0.0 if is_reset else first.sums.get(name, 0.0))
    return Counts(buckets=buckets, sums=sums, counters=less(first.counters, last.counters))


def _merge(parts: Iterable[Counts], at: Epoch) -> Window:
    buckets: dict[str, dict[float, float]] = {}
    sums: dict[str, float] = {}
    counters: dict[str, float] = {}
    for part in parts:
        for name, bounds in part.buckets.items():
            for bound, number in bounds.items():
                buckets.setdefault(name, {})[bound] = buckets.get(name, {}).get(bound, 0.0) + number
            sums[name] = sums.get(name, 0.0) + max(0.0, part.sums.get(name, 0.0))
        for name, number in part.counters.items():
            counters[name] = counters.get(name, 0.0) + number
    histograms = {
        name: Histogram(buckets=bounds or {math.inf: 0.0}, sum_seconds=sums[name])
        for name, bounds in buckets.items()
    }
    return Window(at=at, histograms=histograms, counters=counters)


def downsample(now: Epoch) -> None:
    """Delete snapshots that no window needs: after an hour keep one per 15 minutes, after 31 days none."""
    at = datetime.fromtimestamp(now, UTC)
    Snapshot.objects.filter(at__lt=at - KEPT).delete()
    filled_slots: set[tuple[str, int]] = set()
    gone = []
    old = Snapshot.objects.filter(at__lt=at - FULL, at__gt=at - FULL - timedelta(hours=3)).order_by("at")
    for pk, host, taken_at in old.values_list("pk", "host", "at"):
        slot = (host, int(taken_at.timestamp() // THINNED.total_seconds()))
        if slot in filled_slots:
            gone.append(pk)
        filled_slots.add(slot)
    Snapshot.objects.filter(pk__in=gone).delete()
