"""Replay a recorded day of traffic in simulated time, with the real evaluation and the real routing rules."""

import csv
import heapq
import math
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from metrics import progress
from metrics.decisions import metric_names, routing
from metrics.decisions.assessment import EXTENDED_WINDOW_FACTOR, Observation, assess
from metrics.decisions.criteria import DURATION_BUCKETS
from metrics.decisions.inline_model import Arrival, ServerModel, SimulatedLatencies
from metrics.decisions.limits_file import LimitsFile
from metrics.decisions.statistics import quantile_of
from metrics.decisions.switch import Queue, SwitchState
from metrics.decisions.threshold_state import AlertState
from metrics.decisions.windows import Histogram, Window

TICK_SECONDS = 15.0
ENQUEUE_SECONDS = 0.02
COLUMNS = ("arrived_at", "kind", "service_seconds")
BOUNDS = (*DURATION_BUCKETS, float("inf"))


class TraceError(Exception):
    """A trace that cannot be replayed: names file, line and what was expected."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """The machine of a replay: web threads, workers of the queue, inline slots, a request's deadline.

    ``render_slots`` is how many PDFs the machine renders at once, for requests and workers together. None means that
    each web thread can render, and that the workers have a machine for themselves.
    """

    web_threads: int
    queue_workers: int
    inline_slots: int
    deadline_seconds: float
    render_slots: int | None = None

    @property
    def machine(self) -> ServerModel:
        """The inline model of this machine."""
        return ServerModel(
            web_threads=self.web_threads,
            render_slots=self.render_slots or self.web_threads,
            deadline_seconds=self.deadline_seconds,
        )


@dataclass(frozen=True, kw_only=True)
class Report:
    """The results of a day; ``changes`` has the time of each switch in seconds, the new mode, and the reason."""

    requests: int
    switches: int
    p95_seconds: float
    p99_seconds: float
    timeouts: int
    timeouts_in_queue_mode: int
    queue_hours: float
    needless_queue_hours: float
    pdf_p95_seconds: float
    changes: tuple[tuple[float, str, str], ...]


def read_trace(path: Path) -> list[Arrival]:
    """Read a trace in order of arrival. Raises TraceError."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = csv.DictReader(stream)
            if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
                raise TraceError(
                    f"{path}: expected the columns {', '.join(COLUMNS)}; missing: {', '.join(missing)}"
                )
            work = [_work(path, rows.line_num, row) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TraceError(f"{path}: it cannot be read ({error})") from error
    if not work:
        raise TraceError(f"{path}: expected at least one request")
    return sorted(work)


def _work(path: Path, line: int, row: dict[str, str | None]) -> Arrival:
    try:
        arrived_at, service_seconds = float(row["arrived_at"] or ""), float(row["service_seconds"] or "")
    except ValueError as error:
        raise TraceError(
            f"{path}: line {line}: expected numbers in arrived_at and service_seconds"
        ) from error
    is_finite = abs(arrived_at) < float("inf") and 0 <= service_seconds < float("inf")
    if row["kind"] not in {"pdf", "request"} or not is_finite:
        raise TraceError(f"{path}: line {line}: expected kind pdf or request and a time of 0 s or more")
    return Arrival(arrived_at, service_seconds, row["kind"] == "pdf")


class _Counts:
    """A histogram to which samples are added and from which they are removed."""

    def __init__(self) -> None:
        self._counts = [0] * len(BOUNDS)
        self._sum_seconds = 0.0

    def add(self, seconds: float, number: int = 1) -> None:
        """Add a sample, or remove it with -1."""
        self._counts[bisect_left(BOUNDS, seconds)] += number
        self._sum_seconds += seconds * number

    def histogram(self) -> Histogram:
        """Return the present samples."""
        total, buckets = 0, {}
        for bound, count in zip(BOUNDS, self._counts, strict=True):
            total += count
            buckets[bound] = float(total)
        return Histogram(buckets=buckets, sum_seconds=self._sum_seconds)


class _RecentDurations:
    """The durations of the requests and renders that ended in the last ``seconds``."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._coming: list[tuple[float, str, float, bool]] = []
        self._ended: deque[tuple[float, str, float, bool]] = deque()
        self._counts = {metric_names.REQUEST_SECONDS: _Counts(), metric_names.RENDER_SECONDS: _Counts()}
        self._late = 0

    def will_end(self, at: float, name: str, seconds: float, *, is_late: bool = False) -> None:
        """Record a duration that ends at ``at``, in seconds of the trace."""
        heapq.heappush(self._coming, (at, name, seconds, is_late))

    def window(self, now: float) -> Window:
        """Return the durations that ended in the window before ``now``, in seconds of the trace."""
        while self._coming and self._coming[0][0] <= now:
            entry = heapq.heappop(self._coming)
            self._ended.append(entry)
            self._counts[entry[1]].add(entry[2])
            self._late += entry[3]
        while self._ended and self._ended[0][0] <= now - self._seconds:
            _, name, seconds, is_late = self._ended.popleft()
            self._counts[name].add(seconds, -1)
            self._late -= is_late
        histograms = {name: counts.histogram() for name, counts in self._counts.items()}
        counters = {
            metric_names.REQUESTS_STARTED: histograms[metric_names.REQUEST_SECONDS].count,
            metric_names.REQUESTS_TIMED_OUT: float(self._late),
        }
        return Window(at=now, histograms=histograms, counters=counters)


@dataclass
class _Day:
    """The state of the machine during a day."""

    site: Site
    limits: LimitsFile
    web: list[float]
    workers: list[float]
    slots: list[float] | None = None
    inline_ends: list[float] = field(default_factory=list)
    queued: deque[tuple[float, float]] = field(default_factory=deque)  # when a task starts, and its seconds
    switch_state: SwitchState = field(default_factory=SwitchState)
    alert_states: dict[str, AlertState] = field(default_factory=dict)
    changes: list[tuple[float, str, str]] = field(default_factory=list)
    queued_at: deque[float] = field(default_factory=deque)
    queue_seconds: float = 0.0
    needless_seconds: float = 0.0

    def serve(self, work: Arrival) -> tuple[float, float | None]:
        """Serve one request; return the times of its answer and of its PDF, if any, in seconds of the trace."""
        start = max(work.arrived_at, self.web[0])
        if not work.is_pdf or self._is_inline(start, work):
            end = self._render(start, work) if work.is_pdf else start + work.service_seconds
            heapq.heapreplace(self.web, end)
            if not work.is_pdf:
                return end, None
            heapq.heappush(self.inline_ends, end)
            return end, end
        heapq.heapreplace(self.web, start + ENQUEUE_SECONDS)
        ready_at = self._render(max(start, self.workers[0]), work)
        heapq.heapreplace(self.workers, ready_at)
        self.queued.append((ready_at - work.service_seconds, work.service_seconds))
        self.queued_at.append(work.arrived_at)
        return start + ENQUEUE_SECONDS, ready_at

    def _render(self, start: float, work: Arrival) -> float:
        """Render in the first slot that is free at ``start`` or later; return the end."""
        if self.slots is None:
            return start + work.service_seconds
        end = max(start, self.slots[0]) + work.service_seconds
        heapq.heapreplace(self.slots, end)
        return end

    def _is_inline(self, now: float, work: Arrival) -> bool:
        """Return True if a PDF is rendered by the web process, by the rules that the API follows."""
        while self.inline_ends and self.inline_ends[0] <= now:
            heapq.heappop(self.inline_ends)
        route = routing.choose(
            mode=self.switch_state.mode,
            is_auto=True,
            prefers_queue=False,
            estimate_seconds=work.service_seconds,
            deadline_seconds=self.site.deadline_seconds,
            has_slot=len(self.inline_ends) < self.site.inline_slots,
            has_workers=self.site.queue_workers > 0,
            prospects=self._prospects(now),
        )
        return route.mode == "inline"

    def _prospects(self, now: float) -> routing.Prospects:
        return routing.Prospects(
            inline_wait_seconds=max(0.0, self.slots[0] - now) if self.slots else 0.0,
            queue_wait_seconds=lambda: self._queue_wait_seconds(now),
            has_queue_ahead=lambda: self._has_queue_ahead(now),
            shares_queue=lambda: False,
            ready_elsewhere_seconds=lambda: math.inf,
        )

    def _has_queue_ahead(self, now: float) -> bool:
        """Return True if tasks wait for the slots; a free one is for them, unless there are more than workers."""
        if not self.slots or (self.slots[0] <= now and len(self.workers) < len(self.slots)):
            return False
        return self.waiting(now) > 0

    def _queue_wait_seconds(self, now: float) -> float:
        """Return for how many seconds the waiting tasks keep all workers busy."""
        return sum(seconds for _, seconds in self._still_queued(now)) / len(self.workers)

    def waiting(self, now: float) -> int:
        """Return the number of tasks that wait for a worker."""
        return len(self._still_queued(now))

    def _still_queued(self, now: float) -> deque[tuple[float, float]]:
        """Forget the tasks that have started, and return the others."""
        while self.queued and self.queued[0][0] <= now:
            self.queued.popleft()
        return self.queued


def replay(
    work: Sequence[Arrival], limits: LimitsFile, site: Site, report: progress.Report = progress.ignore
) -> Report:
    """Serve a day's requests and return the results."""
    day = _Day(
        site=site, limits=limits, web=[0.0] * site.web_threads, workers=[0.0] * max(1, site.queue_workers)
    )
    day.switch_state = SwitchState(since=work[0].arrived_at)
    day.web = [work[0].arrived_at] * site.web_threads
    if site.render_slots:
        day.slots = [work[0].arrived_at] * site.render_slots
    window_seconds = _window_seconds(limits)
    past = [_RecentDurations(window_seconds), _RecentDurations(EXTENDED_WINDOW_FACTOR * window_seconds)]
    recent: deque[Arrival] = deque()
    tick = work[0].arrived_at + TICK_SECONDS
    latencies: list[float] = []
    pdf_seconds: list[float] = []
    late_in_queue_mode = 0
    for number, arrival in enumerate(work):
        while tick <= arrival.arrived_at:
            report("requests", number, len(work))
            _tick(day, past, recent, tick, window_seconds)
            tick += TICK_SECONDS
        mode = day.switch_state.mode
        answered_at, pdf_ready_at = day.serve(arrival)
        latency = answered_at - arrival.arrived_at
        is_late = latency > site.deadline_seconds
        late_in_queue_mode += is_late and mode == "queue"
        latencies.append(latency)
        if pdf_ready_at is not None:
            pdf_seconds.append(pdf_ready_at - arrival.arrived_at)
        for recorder in past:
            recorder.will_end(answered_at, metric_names.REQUEST_SECONDS, latency, is_late=is_late)
            if pdf_ready_at is not None:
                recorder.will_end(pdf_ready_at, metric_names.RENDER_SECONDS, arrival.service_seconds)
        recent.append(arrival)
    return Report(
        requests=len(work),
        switches=len(day.changes),
        p95_seconds=quantile_of(latencies, 0.95) or 0.0,
        p99_seconds=quantile_of(latencies, 0.99) or 0.0,
        timeouts=sum(latency > site.deadline_seconds for latency in latencies),
        timeouts_in_queue_mode=late_in_queue_mode,
        queue_hours=day.queue_seconds / 3600,
        needless_queue_hours=day.needless_seconds / 3600,
        pdf_p95_seconds=quantile_of(pdf_seconds, 0.95) or 0.0,
        changes=tuple(day.changes),
    )


def _window_seconds(limits: LimitsFile) -> float:
    """Return the longest window of the limits that move work, at most an hour."""
    window_seconds = [
        threshold.window_seconds for threshold in limits.thresholds if threshold.routes_to_queue
    ]
    return min(3600.0, max(window_seconds, default=300.0))


def _tick(
    day: _Day, past: Sequence[_RecentDurations], recent: deque[Arrival], now: float, window_seconds: float
) -> None:
    while recent and recent[0].arrived_at <= now - EXTENDED_WINDOW_FACTOR * window_seconds:
        recent.popleft()
    while day.queued_at and day.queued_at[0] <= now - window_seconds:
        day.queued_at.popleft()
    finished = [arrival for arrival in recent if arrival.arrived_at + arrival.service_seconds <= now]
    window, longer = (recorder.window(now) for recorder in past)
    lengths = {threshold.window_seconds for threshold in day.limits.thresholds}
    observation = Observation(
        now=now,
        windows=dict.fromkeys((length * EXTENDED_WINDOW_FACTOR for length in lengths), longer)
        | dict.fromkeys(lengths, window),
        work=finished,
        work_seconds=window_seconds,
        is_queued=day.switch_state.mode == "queue" or bool(day.queued_at),
        machine=day.site.machine,
        queue=Queue(live_workers=day.site.queue_workers, waiting=day.waiting(now)),
    )
    assessment = assess(day.limits, observation, day.alert_states, day.switch_state)
    day.alert_states = {evaluation.threshold.name: evaluation.alert_state for evaluation in assessment.judged}
    if day.switch_state.mode == "queue":
        day.queue_seconds += TICK_SECONDS
        day.needless_seconds += TICK_SECONDS * _is_needless(assessment.shadow, day.limits)
    if assessment.decision.switch_state.mode != day.switch_state.mode:
        day.changes.append((now, assessment.decision.switch_state.mode, assessment.decision.reason))
    day.switch_state = assessment.decision.switch_state


def _is_needless(simulated: SimulatedLatencies | None, limits: LimitsFile) -> bool:
    """Return True if every limit that moves work would be kept clearly without the queue."""
    if simulated is None:
        return True
    return simulated.keeps(
        {
            threshold.name: threshold.limit * threshold.recover_below
            for threshold in limits.thresholds
            if threshold.routes_to_queue
        }
    )
