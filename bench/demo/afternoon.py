"""The afternoon: quiet reading, authors who edit and print, a burst before a deadline, and the way back.

Every phase ends when its condition holds, not after a fixed time, so that it plays on a slow machine as well.
"""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from bench.demo.narrator import Narrator
from bench.demo.people import Ledger, Person

TICK_SECONDS = 0.5
THREADS = 24
SHORT_LINES = 40
PROBE_LINES = 200
MIN_LINES, MAX_LINES = 60, 1500
RENDER_SECONDS = 1.5  # of a PDF of the burst on this machine, alone
MAX_WAITING = 20  # PDFs asked for and not yet in hand: what the burst adds, at most
MAX_BURST_PDFS = 120
AFTER_SWITCH_TICKS = 10
READS_A_TICK = 10
PDFS_A_TICK = 2
COUNTED_EVERY_SECONDS = 2.0
TOLD_EVERY_SECONDS = 6.0


class NotSwitched(Exception):
    """Raised when the mode did not change within the time of the demo."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long the quiet phases last, and the longest time of everything, in seconds."""

    reading_seconds: float
    editing_seconds: float
    max_seconds: float


FULL = Pace(reading_seconds=12.0, editing_seconds=20.0, max_seconds=180.0)
QUICK = Pace(reading_seconds=3.0, editing_seconds=5.0, max_seconds=180.0)


@dataclass
class Afternoon:
    """The state of the play: who asks, the documents, and the changes of the mode as (clock, mode)."""

    maintainer: Person
    reader: Person
    narrator: Narrator
    pace: Pace
    ledger: Ledger
    threads: ThreadPoolExecutor
    changes: list[tuple[str, str]] = field(default_factory=list)
    mode: str = "inline"
    asked: list[Future[object]] = field(default_factory=list)
    printing: list[Future[object]] = field(default_factory=list)
    told_at: float = 0.0
    own: list[int] = field(default_factory=list)
    counted_at: float = 0.0
    queued: int = 0

    def play(self) -> None:
        """Play everything. Raises NotSwitched if the mode does not go to the queue and back in time."""
        self.own = [own["id"] for own in self.reader.read("documents/")["results"]]
        plans = [plan["id"] for plan in self.maintainer.read("documents/?kind=project_plan")["results"]]
        lines = self._measure(plans[0])
        self.narrator.begin()
        self._give_up_at = time.monotonic() + self.pace.max_seconds
        self._read_quietly()
        self._edit_and_print(plans)
        self._burst(plans, lines)
        self._return(plans)

    def _measure(self, plan: int) -> int:
        """Return how many lines a document needs to be RENDER_SECONDS of work on this machine."""
        seconds = 0.0
        for _ in range(2):  # the first one warms up
            self.maintainer.edit(plan, PROBE_LINES)
            pdf = self.maintainer.print_pdf(plan)
            seconds = pdf.answered_seconds if pdf else RENDER_SECONDS
        return round(min(MAX_LINES, max(MIN_LINES, PROBE_LINES * RENDER_SECONDS / seconds)))

    def _read_quietly(self) -> None:
        self.narrator.say("quiet: people read their documents")
        for number in self._ticks(self.pace.reading_seconds):
            self._read(number)

    def _edit_and_print(self, plans: Sequence[int]) -> None:
        self.narrator.say("authors edit and print; each PDF comes with the answer")
        for number in self._ticks(self.pace.editing_seconds):
            if number % 5 == 0:
                self._print(plans[number // 5 % len(plans)], SHORT_LINES)
            self._read(number)

    def _burst(self, plans: Sequence[int], lines: int) -> None:
        self.narrator.say("the deadline comes: everyone prints at once")
        documents, left = itertools.cycle(plans), AFTER_SWITCH_TICKS
        for _ in self._ticks():
            if self.mode == "queue":
                left -= 1
            if not left:
                break
            for _ in range(PDFS_A_TICK):
                if self._count_waiting() < MAX_WAITING and len(self.ledger.pdfs) < MAX_BURST_PDFS:
                    self._print(next(documents), lines)
            self._tell_how_it_goes()
        self.narrator.say("the deadline is over; the queue still has work")

    def _return(self, plans: Sequence[int]) -> None:
        self.narrator.say("people read what was printed, and the workers finish")
        for number in self._ticks():
            if self.mode == "inline":
                break
            for offset in range(READS_A_TICK):
                self._read(number + offset)
            self._tell_how_it_goes()
        self._print(plans[0], SHORT_LINES)
        for future in [*self.asked, *self.printing]:
            future.result()
        self.narrator.say("evening: the last PDFs are made")
        self.narrator.finish()

    def _ticks(self, seconds: float | None = None) -> "Ticks":
        """Return the numbers of the ticks for this long, or until the caller ends it."""
        end_at = self._give_up_at if seconds is None else time.monotonic() + seconds
        return Ticks(self._look, end_at, is_bounded=seconds is not None)

    def _look(self) -> None:
        """Note a change of the mode, and move the bar on."""
        self.narrator.tick()
        mode = self.maintainer.mode()
        if mode != self.mode:
            self.mode = mode
            self.changes.append((self.narrator.clock(), mode))
            self.narrator.say(self._reason(mode))
        self.asked, self.printing = _open_ones(self.asked), _open_ones(self.printing)

    def _reason(self, mode: str) -> str:
        if mode == "inline":
            return "every limit is kept again: back to inline"
        entry = self.maintainer.threshold("p95_response_time")
        return f"p95 would be {_seconds(entry)} inline, limit {entry['limit']:g} s: switched to the queue"

    def _tell_how_it_goes(self) -> None:
        if time.monotonic() - self.told_at < TOLD_EVERY_SECONDS:
            return
        self.told_at = time.monotonic()
        entry = self.maintainer.threshold("p95_response_time")
        self.narrator.say(
            f"{self.mode}: {len(self.ledger.pdfs)} PDFs asked for, {self._count_waiting()} waiting; "
            f"p95 {'would be' if self.mode == 'queue' else 'is'} {_seconds(entry)} inline"
        )

    def _count_waiting(self) -> int:
        """Return how many PDFs wait or are being made, as counted a moment ago, and those asked for since."""
        if time.monotonic() - self.counted_at > COUNTED_EVERY_SECONDS:
            self.counted_at = time.monotonic()
            self.queued = sum(
                int(self.maintainer.read(f"tasks/?status={status}&page_size=1")["count"])
                for status in ("queued", "running")
            )
        return self.queued + sum(not future.done() for future in self.printing)

    def _read(self, number: int) -> None:
        if len(self.asked) < 2 * THREADS:  # a slow machine gets no mountain of requests
            document = self.own[number % len(self.own)]
            self.asked.append(self.threads.submit(self.reader.read, f"documents/{document}/"))

    def _print(self, plan: int, lines: int) -> None:
        self.printing.append(self.threads.submit(self._change_and_print, plan, lines))

    def _change_and_print(self, plan: int, lines: int) -> None:
        self.maintainer.edit(plan, lines)
        self.maintainer.print_pdf(plan)


def _open_ones(asked: Sequence[Future[object]]) -> list[Future[object]]:
    """Return those without an answer yet. Raises what went wrong with the others."""
    for future in asked:
        if future.done():
            future.result()
    return [future for future in asked if not future.done()]


def _seconds(entry: Mapping[str, Any]) -> str:
    return "not known" if entry.get("value") is None else f"{entry['value']:.1f} s"


class Ticks:
    """An iterator over the numbers of ticks until a time. Raises NotSwitched there unless it is bounded."""

    def __init__(self, look: Callable[[], None], end_at: float, *, is_bounded: bool) -> None:
        self._look, self._end_at, self._is_bounded = look, end_at, is_bounded
        self._numbers = itertools.count()
        self._due = time.monotonic()

    def __iter__(self) -> "Ticks":
        return self

    def __next__(self) -> int:
        self._due += TICK_SECONDS
        time.sleep(max(0.0, self._due - time.monotonic()))
        if time.monotonic() >= self._end_at:
            if self._is_bounded:
                raise StopIteration
            raise NotSwitched
        self._look()
        return next(self._numbers)
