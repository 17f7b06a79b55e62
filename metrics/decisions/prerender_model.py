"""PDFs made ahead, in a replay: which requests of a recorded day would have found their PDF ready.

The rule is that of the workers: a document is due some seconds after its last change, the newest change goes first,
one PDF is made at a time, and only while requests take fewer than half of the render slots.
"""

import csv
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from metrics.decisions.inline_model import Arrival
from metrics.decisions.replay import TraceError

COLUMN = "changed_at"
AFTER_SECONDS = 10.0
# Until a supervisor sees that a document is due, on average.
LOOK_SECONDS = 1.0
READY_ANSWER_SECONDS = 0.01


@dataclass(frozen=True, kw_only=True)
class PdfRequest:
    """A request for a PDF, and when its document was last changed; in seconds of the trace.

    ``line`` is its line of the trace, which makes it unique.
    """

    line: int
    arrived_at: float
    changed_at: float
    service_seconds: float

    @property
    def due_at(self) -> float:
        """When its PDF may be made ahead."""
        return self.changed_at + AFTER_SECONDS + LOOK_SECONDS


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """A day with PDFs made ahead: its requests, and how many PDFs were ready, and gave way to a request.

    A request that finds its PDF ready is a short one, and no PDF any more.
    """

    work: list[Arrival]
    ready: int
    gave_way: int


def read_changes(path: Path) -> list[PdfRequest]:
    """Read the PDFs of a trace with the column ``changed_at``. Raises TraceError."""
    with path.open(newline="", encoding="utf-8-sig") as stream:
        rows = csv.DictReader(stream)
        if COLUMN not in (rows.fieldnames or ()):
            raise TraceError(
                f"{path}: --prerender needs a column {COLUMN}: when the document was last changed"
            )
        return [_request(path, rows.line_num, row) for row in rows if row["kind"] == "pdf"]


def _request(path: Path, line: int, row: dict[str, str]) -> PdfRequest:
    try:
        times = [float(row[name]) for name in ("arrived_at", COLUMN, "service_seconds")]
    except (TypeError, ValueError) as error:
        raise TraceError(f"{path}: line {line}: expected a number in {COLUMN}") from error
    arrived_at, changed_at, service_seconds = times
    if not float("-inf") < changed_at <= arrived_at:
        raise TraceError(f"{path}: line {line}: expected a time in {COLUMN} that is not after arrived_at")
    return PdfRequest(
        line=line, arrived_at=arrived_at, changed_at=changed_at, service_seconds=service_seconds
    )


@dataclass
class _Workers:
    """What the workers do ahead of the requests, one PDF at a time, beside the renders of requests."""

    slots: int
    due: list[PdfRequest] = field(default_factory=list)
    current: PdfRequest | None = None
    ends_at: float = 0.0
    free_at: float = float("-inf")
    busy_until: list[float] = field(default_factory=list)
    ready: set[PdfRequest] = field(default_factory=set)
    gave_way: int = 0

    def serve(self, request: PdfRequest) -> float:
        """Serve a request; return the seconds that it renders, 0 if its PDF is ready."""
        now = request.arrived_at
        self._work_until(now)
        self.busy_until = [end for end in self.busy_until if end > now]
        if request in self.ready:
            return 0.0
        if self.current == request:  # it joins what is being made
            seconds, self.current = self.ends_at - now, None
        else:
            seconds = request.service_seconds
        self.due = [other for other in self.due if other != request]
        self.busy_until.append(now + seconds)
        self._give_way(now)
        return seconds

    def _work_until(self, now: float) -> None:
        while self._is_free(now):
            start = max(self.free_at, self._room_at(), min((other.due_at for other in self.due), default=now))
            if start >= now:
                return
            due = [other for other in self.due if other.due_at <= start]
            self.current = max(due, key=lambda other: other.changed_at)
            self.due.remove(self.current)
            self.ends_at = start + self.current.service_seconds

    def _is_free(self, now: float) -> bool:
        if self.current is not None and self.ends_at <= now:
            self.ready.add(self.current)
            self.current, self.free_at = None, self.ends_at
        return self.current is None

    def _room_at(self) -> float:
        """Return when requests take fewer than half of the slots."""
        allowed = (self.slots - 1) // 2
        ends = sorted(self.busy_until)
        return ends[-allowed - 1] if len(ends) > allowed else float("-inf")

    def _give_way(self, now: float) -> None:
        if self.current is not None and self._room_at() > now:
            self.due.append(self.current)
            self.current, self.free_at = None, now
            self.gave_way += 1


def make_ahead(work: Sequence[Arrival], requests: Sequence[PdfRequest], *, slots: int) -> Ahead:
    """Return a day's requests as they would be if workers made PDFs ahead; ``slots`` is the number of render slots."""
    workers, arrivals = _Workers(slots=slots), [arrival for arrival in work if not arrival.is_pdf]
    coming = deque(sorted(requests, key=lambda request: request.due_at))
    ready = 0
    for request in sorted(requests, key=lambda request: request.arrived_at):
        while coming and coming[0].due_at < request.arrived_at:
            due = coming.popleft()
            if due.arrived_at >= request.arrived_at:
                workers.due.append(due)
        seconds = workers.serve(request)
        is_ready = not seconds
        ready += is_ready
        arrivals.append(
            Arrival(request.arrived_at, READY_ANSWER_SECONDS if is_ready else seconds, not is_ready)
        )
    return Ahead(work=sorted(arrivals), ready=ready, gave_way=workers.gave_way)
