"""What workers of other machines can do for a PDF: take it when they are free first, or make it faster."""

import math
import threading
from datetime import timedelta
from statistics import median

import cachetools
from django.utils import timezone

from documents.infrastructure import storage
from documents.models import Task, claimed_on, host_of
from documents.queue import statistics

# What the way through the queue costs: the row, the hint, and the worker that wakes up; measured as 0.1 to 0.2 s.
QUEUE_SECONDS = 0.2
# The latest PDFs say how fast the machines are: at least so many of each, so many in all, and none of them older.
MIN_PDFS, MAX_PDFS = 5, 40
RECENT = timedelta(minutes=5)


def shares_queue() -> bool:
    """Return True if workers of this machine and of others take tasks from the queue."""
    return all(statistics.workers_here_and_elsewhere())


def ready_seconds(estimate_seconds: float) -> float:
    """Return the seconds until a worker of another machine had made a new PDF; infinite without any such worker.

    ``estimate_seconds`` is what the render takes on this machine. All that waits in the queue comes before it.
    """
    _, workers = statistics.workers_here_and_elsewhere()
    if not workers:
        return math.inf
    running = statistics.running_in_queue().exclude(claimed_on(storage.host())).count()
    ahead = max(0, running + statistics.count_waiting_pdfs() + 1 - workers)
    wait_seconds = ahead / workers * statistics.mean_work_seconds()
    return QUEUE_SECONDS + (wait_seconds + estimate_seconds) * _relative_duration()


@cachetools.cached(
    cachetools.TTLCache(maxsize=1, ttl=statistics.SERVICE_TIME_CACHE_SECONDS), lock=threading.Lock()
)
def _relative_duration() -> float:
    """Return how long a render takes on other machines, in times of this one; 1 unless both made some lately."""
    recent = Task.objects.asked_for().filter(
        kind="pdf", status=Task.Status.SUCCEEDED, finished_at__gt=timezone.now() - RECENT
    )
    rows = recent.order_by("-finished_at").values_list("worker", "result")[:MAX_PDFS]
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for worker, result in rows:
        if took := statistics.measured_seconds(result):
            seconds[host_of(worker) == storage.host()].append(took)
    if min(map(len, seconds.values())) < MIN_PDFS:
        return 1.0
    return median(seconds[False]) / median(seconds[True])
