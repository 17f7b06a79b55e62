"""The figures of tasks that the evaluation of the thresholds reads."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from statistics import mean
from typing import Any

from django.db.models import Count, QuerySet
from django.utils import timezone

from documents.models import Cluster, Task, document_types, host_of
from documents.models.tasks import shared_now
from documents.operations.prerenders import figures
from documents.queue import statistics
from documents.tasks.pdf import task as pdf_task
from metrics import instruments
from metrics.decisions import metric_names

DAY = timedelta(days=1)
LONG_WAIT = timedelta(seconds=10)
MAX_AHEAD = timedelta(seconds=30)


def register() -> None:
    """Register this module as the provider of the metrics."""
    instruments.register_provider(
        instruments.MetricsProvider(
            kinds=tuple(document_types.DOCUMENT_TYPES),
            arrivals=arrivals,
            any_queued=any_queued,
            queue=queue,
            gauges=gauges,
            clusters=clusters,
            pdfs_by_host=pdfs_by_host,
            prerenders=figures.prerenders,
        )
    )


def arrivals(since: float) -> Sequence[instruments.Arrival]:
    """Return the PDFs requested since a time in seconds since 1970, oldest first.

    Each takes what its render took alone, without its waits. One without a PDF counts with the mean of the others,
    or with its whole time if that was shorter: the time of one that failed may be waits for the most part.
    """
    columns = ("created_at", "result", "started_at", "finished_at", "mode", "worker")
    rows = list(_requested(since).order_by("created_at").values(*columns))
    measured = [took for row in rows if (took := statistics.measured_seconds(row["result"])) is not None]
    mean_seconds = mean(measured) if measured else statistics.DEFAULT_SERVICE_SECONDS
    return [
        instruments.Arrival(
            row["created_at"].timestamp(), _service_seconds(row, mean_seconds), True, _web_host(row)
        )
        for row in rows
    ]


def any_queued(since: float) -> bool:
    """Return True if a PDF requested since a time in seconds since 1970 went to the queue."""
    return _requested(since).filter(mode=Task.Mode.QUEUE).exists()


def _requested(since: float) -> QuerySet[Task]:
    asked_for = Task.objects.asked_for().filter(kind=pdf_task.KIND)
    # Those of a host whose clock is ahead would count until their time has come.
    period = datetime.fromtimestamp(since, UTC), shared_now() + MAX_AHEAD
    return asked_for.filter(created_at__range=period)


def _service_seconds(row: Mapping[str, Any], mean_seconds: float) -> float:
    if (measured := statistics.measured_seconds(row["result"])) is not None:
        return measured
    if row["started_at"] and row["finished_at"]:
        took: timedelta = row["finished_at"] - row["started_at"]
        return min(mean_seconds, max(0.0, took.total_seconds()))
    return mean_seconds


def _web_host(row: Mapping[str, Any]) -> str:
    """Return the host that rendered a PDF inline; a worker renders those that any web host has taken."""
    return host_of(row["worker"]) if row["mode"] == Task.Mode.INLINE else ""


def queue() -> instruments.Queue:
    """Return the live workers, the due tasks, and the seconds since a worker last took one of them."""
    return instruments.Queue(
        live_workers=statistics.live_workers(),
        waiting=Task.objects.due().asked_for().count(),
        stalled_seconds=_stalled_seconds(),
    )


def clusters() -> Sequence[instruments.ClusterReport]:
    """Return what the live clusters report, also while the queue is paused."""
    return [
        instruments.ClusterReport(
            host=cluster.host, workers=cluster.workers, render_slots=cluster.render_slots or 0
        )
        for cluster in Cluster.objects.live()
    ]


def pdfs_by_host(since: float) -> Mapping[str, int]:
    """Return how many PDFs requested since a time in seconds since 1970 each host made or makes."""
    by_worker = _requested(since).exclude(worker="").values_list("worker").annotate(Count("pk"))
    counts: Counter[str] = Counter()
    for worker, count in by_worker:
        counts[host_of(worker)] += count
    return counts


def gauges() -> Mapping[str, float]:
    """Return the current values of the gauges by name."""
    ended = Task.objects.asked_for().filter(kind=pdf_task.KIND, finished_at__gt=timezone.now() - DAY)
    return {
        metric_names.QUEUE_DEPTH: Task.objects.due().asked_for().count(),
        metric_names.QUEUE_LAG_SECONDS: statistics.lag_seconds(),
        metric_names.QUEUE_WORKERS: statistics.live_workers(),
        metric_names.PDFS_LAST_24H: ended.filter(status=Task.Status.SUCCEEDED).count(),
        metric_names.USERS_WAITED_LAST_24H: _users_who_waited(ended),
    }


def _users_who_waited(ended: QuerySet[Task]) -> int:
    """Return how many people waited longer than LONG_WAIT. In SQL, SQLite would call Python for each difference."""
    rows = ended.values_list("requested_by", "created_at", "finished_at")
    waited = {
        user for user, created, finished in rows.iterator() if finished and finished - created > LONG_WAIT
    }
    return len(waited - {None})


def _stalled_seconds() -> float:
    running = Task.objects.running().filter(mode=Task.Mode.QUEUE)
    if running.exists():
        return 0.0
    lag = statistics.lag_seconds()
    since = timezone.now() - timedelta(seconds=lag)
    newest = Task.objects.filter(mode=Task.Mode.QUEUE, finished_at__gt=since).order_by("-finished_at").first()
    if newest is None or newest.finished_at is None:
        return lag
    return min(lag, (timezone.now() - newest.finished_at).total_seconds())
