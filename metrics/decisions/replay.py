"""A recorded day of traffic, served in simulated time: the real evaluation decides, only the clock is not real."""

import csv
import heapq
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from metrics.decisions import routing
from metrics.decisions.assessment import EXTENDED_WINDOW_FACTOR, Observation, assess
from metrics.decisions.criteria import DURATION_BUCKETS, RENDERS, REQUESTS
from metrics.decisions.inline_model import Arrival, ServerModel, SimulatedLatencies
from metrics.decisions.limits_file import LimitsFile
from metrics.decisions.statistics import quantile_of
from metrics.decisions.switch import Queue, SwitchState
from metrics.decisions.threshold_state import AlertState
from metrics.decisions.windows import Histogram, Window

TICK_SECONDS = 15.0
ENQUEUE_SECONDS = 0.02
STARTED, TIMED_OUT = "spms_http_requests_started_total", "spms_http_requests_timed_out_total"
COLUMNS = ("arrived_at", "kind", "service_seconds")
BOUNDS = (*DURATION_BUCKETS, float("inf"))


class TraceError(Exception):
    """A trace that cannot be replayed: names file, line and what was expected."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """The machine of a replay: web threads, workers of the queue, inline slots, a request's deadline."""

    web_threads: int
    queue_workers: int
    inline_slots: int
    deadline_seconds: float

    @property
    def machine(self) -> ServerModel:
        """The machine as the shadow sees it: every web thread may render."""
        return ServerModel(
            web_threads=self.web_threads,
            render_slots=self.web_threads,
            deadline_seconds=self.deadline_seconds,
        )


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a day was like; ``changes`` are the times of the switches and the modes that followed."""

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
    """A histogram that samples are added to and taken from."""

    def __init__(self) -> None:
        self._counts = [0] * len(BOUNDS)
        self._sum_seconds = 0.0

    def add(self, seconds: float, number: int = 1) -> None:
        """Add a sample, or take it away with -1."""
        self._counts[bisect_left(BOUNDS, seconds)] += number
        self._sum_seconds += seconds * number

    def histogram(self) -> Histogram:
        """Return the samples that are in it now."""
        total, buckets = 0, {}
        for bound, count in zip(BOUNDS, self._counts, strict=True):
            total += count
            buckets[bound] = float(total)
        return Histogram(buckets=buckets, sum_seconds=self._sum_seconds)


class _Past:
    """What ended in the last seconds: durations of requests and of renders."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._coming: list[tuple[float, str, float, bool]] = []
        self._ended: deque[tuple[float, str, float, bool]] = deque()
        self._counts = {REQUESTS: _Counts(), RENDERS: _Counts()}
        self._late = 0

    def will_end(self, at: float, name: str, seconds: float, *, is_late: bool = False) -> None:
        """Note something that ends at a time to come."""
        heapq.heappush(self._coming, (at, name, seconds, is_late))

    def window(self, now: float) -> Window:
        """Return what ended in the window before ``now``."""
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
        counters = {STARTED: histograms[REQUESTS].count, TIMED_OUT: float(self._late)}
        return Window(at=now, histograms=histograms, counters=counters)


@dataclass
class _Day:
    """The machine while the day passes."""

    site: Site
    limits: LimitsFile
    web: list[float]
    workers: list[float]
    inline_ends: list[float] = field(default_factory=list)
    queued_starts: deque[float] = field(default_factory=deque)
    course: SwitchState = field(default_factory=SwitchState)
    memories: dict[str, AlertState] = field(default_factory=dict)
    changes: list[tuple[float, str, str]] = field(default_factory=list)
    queued_at: deque[float] = field(default_factory=deque)
    queue_seconds: float = 0.0
    needless_seconds: float = 0.0

    def serve(self, work: Arrival) -> tuple[float, float | None]:
        """Serve one request; return when it was answered, and when its PDF was there if it has one."""
        start = max(work.arrived_at, self.web[0])
        if not work.is_pdf or self._is_inline(start, work):
            end = start + work.service_seconds
            heapq.heapreplace(self.web, end)
            if not work.is_pdf:
                return end, None
            heapq.heappush(self.inline_ends, end)
            return end, end
        heapq.heapreplace(self.web, start + ENQUEUE_SECONDS)
        begun = max(start, self.workers[0])
        heapq.heapreplace(self.workers, begun + work.service_seconds)
        self.queued_starts.append(begun)
        self.queued_at.append(work.arrived_at)
        return start + ENQUEUE_SECONDS, begun + work.service_seconds

    def _is_inline(self, now: float, work: Arrival) -> bool:
        """Return True if a PDF is rendered by the web process, by the rules that the API follows."""
        while self.inline_ends and self.inline_ends[0] <= now:
            heapq.heappop(self.inline_ends)
        route = routing.choose(
            mode=self.course.mode,
            is_auto=True,
            prefers_queue=False,
            estimate_seconds=work.service_seconds,
            deadline_seconds=self.site.deadline_seconds,
            has_slot=len(self.inline_ends) < self.site.inline_slots,
            has_workers=self.site.queue_workers > 0,
            estimated_wait_seconds=lambda: self.workers[0] - now,
        )
        return route.mode == "inline"

    def waiting(self, now: float) -> int:
        """Return how many tasks wait for a worker."""
        while self.queued_starts and self.queued_starts[0] <= now:
            self.queued_starts.popleft()
        return len(self.queued_starts)


def replay(work: Sequence[Arrival], limits: LimitsFile, site: Site) -> Report:
    """Serve a day's requests and return what it was like."""
    day = _Day(
        site=site, limits=limits, web=[0.0] * site.web_threads, workers=[0.0] * max(1, site.queue_workers)
    )
    day.course = SwitchState(since=work[0].arrived_at)
    day.web = [work[0].arrived_at] * site.web_threads
    window_seconds = _window_seconds(limits)
    past = [_Past(window_seconds), _Past(EXTENDED_WINDOW_FACTOR * window_seconds)]
    recent: deque[Arrival] = deque()
    tick = work[0].arrived_at + TICK_SECONDS
    answered: list[float] = []
    made: list[float] = []
    late_in_queue_mode = 0
    for one in work:
        while tick <= one.arrived_at:
            _tick(day, past, recent, tick, window_seconds)
            tick += TICK_SECONDS
        mode = day.course.mode
        answered_at, made_at = day.serve(one)
        taken = answered_at - one.arrived_at
        is_late = taken > site.deadline_seconds
        late_in_queue_mode += is_late and mode == "queue"
        answered.append(taken)
        if made_at is not None:
            made.append(made_at - one.arrived_at)
        for each in past:
            each.will_end(answered_at, REQUESTS, taken, is_late=is_late)
            if made_at is not None:
                each.will_end(made_at, RENDERS, one.service_seconds)
        recent.append(one)
    return Report(
        requests=len(work),
        switches=len(day.changes),
        p95_seconds=quantile_of(answered, 0.95) or 0.0,
        p99_seconds=quantile_of(answered, 0.99) or 0.0,
        timeouts=sum(taken > site.deadline_seconds for taken in answered),
        timeouts_in_queue_mode=late_in_queue_mode,
        queue_hours=day.queue_seconds / 3600,
        needless_queue_hours=day.needless_seconds / 3600,
        pdf_p95_seconds=quantile_of(made, 0.95) or 0.0,
        changes=tuple(day.changes),
    )


def _window_seconds(limits: LimitsFile) -> float:
    """Return the window of what moves work; a replay reads nothing over more than an hour."""
    routing = [one.window_seconds for one in limits.thresholds if one.routes_to_queue]
    return min(3600.0, max(routing, default=300.0))


def _tick(
    day: _Day, past: Sequence[_Past], recent: deque[Arrival], now: float, window_seconds: float
) -> None:
    while recent and recent[0].arrived_at <= now - EXTENDED_WINDOW_FACTOR * window_seconds:
        recent.popleft()
    while day.queued_at and day.queued_at[0] <= now - window_seconds:
        day.queued_at.popleft()
    known = [one for one in recent if one.arrived_at + one.service_seconds <= now]
    window, longer = (each.window(now) for each in past)
    lengths = {one.window_seconds for one in day.limits.thresholds}
    seen = Observation(
        now=now,
        windows=dict.fromkeys((length * EXTENDED_WINDOW_FACTOR for length in lengths), longer)
        | dict.fromkeys(lengths, window),
        work=known,
        work_seconds=window_seconds,
        is_queued=day.course.mode == "queue" or bool(day.queued_at),
        machine=day.site.machine,
        queue=Queue(live_workers=day.site.queue_workers, waiting=day.waiting(now)),
    )
    found = assess(day.limits, seen, day.memories, day.course)
    day.memories = {one.threshold.name: one.memory for one in found.judged}
    if day.course.mode == "queue":
        day.queue_seconds += TICK_SECONDS
        day.needless_seconds += TICK_SECONDS * _is_needless(found.shadow, day.limits)
    if found.decision.course.mode != day.course.mode:
        day.changes.append((now, found.decision.course.mode, found.decision.reason))
    day.course = found.decision.course


def _is_needless(seen: SimulatedLatencies | None, limits: LimitsFile) -> bool:
    """Say whether the queue is used although every limit that moves work would be kept well without it."""
    if seen is None:
        return True
    values = {
        "p95_response_time": seen.p95_seconds,
        "average_response_time": seen.mean_seconds,
        "request_timeout_rate": seen.timeout_rate,
    }
    routing = [one for one in limits.thresholds if one.routes_to_queue and one.name in values]
    return all(values[one.name] < one.limit * one.recover_below for one in routing)
