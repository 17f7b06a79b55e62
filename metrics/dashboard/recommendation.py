"""The answer to the dashboard's question, "Do I need a queue yet?", and what to do now; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from metrics.dashboard.presentation import NEAR, is_any_firing, share_used
from metrics.decisions.threshold_state import ReadingVerdict, State
from metrics.evaluation.report import ThresholdEntry
from metrics.flag import Flag

SOON_SECONDS = 3600.0
START_EVALUATOR = "Start the evaluator: spms evaluate_thresholds --every 15s"
START_WORKERS = "Start workers: spms qcluster"
START_WORKERS_ELSEWHERE = "Start workers on another host: spms qcluster"
# With this share of the render slots in use, PDFs wait for cores more than for anything else.
FULL = 0.8
WORKERS_SHARE_CORES = (
    "all workers share their cores with the web, and these cores are full: a queue here only moves the wait."
)


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """The answer in a few words, what to do now in one line, and a tone: good, near, queue or unknown."""

    text: str
    to_do: str
    tone: str


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What the answer depends on besides the limits: the workers, the waiting tasks, and the mode.

    ``render_load`` is the share of the render slots of the ``web_hosts`` that the requested PDFs take;
    ``workers_elsewhere`` are the live workers on other hosts.
    """

    flag: Flag
    is_fresh: bool
    live_workers: int
    waiting: int
    alarm: str = ""
    is_dry_run: bool = False
    render_load: float = 0.0
    web_hosts: int = 0
    workers_elsewhere: int = 0

    @property
    def needs_worker_host(self) -> bool:
        """Whether the web hosts are full and no worker has other cores, so that a queue only moves the wait."""
        return self.web_hosts > 0 and self.render_load >= FULL and self.workers_elsewhere < 1


def recommend(situation: Situation, entries: Sequence[ThresholdEntry]) -> Recommendation:
    """Return whether the limits that move work require a queue, whatever mode an operator has chosen."""
    routing = [entry for entry in entries if entry.routes_to_queue]
    if not situation.is_fresh or all(entry.value is None for entry in routing):
        return Recommendation(text="Not known", to_do=_when_unknown(situation), tone="unknown")
    if is_any_firing(routing) or (situation.flag.setting == "auto" and situation.flag.effective == "queue"):
        text = "Yes, on another host" if situation.needs_worker_host else "Yes"
        return Recommendation(text=text, to_do=_when_needed(situation), tone="queue")
    if any(is_close(entry) for entry in routing):
        return Recommendation(text="Not yet, but soon", to_do=_when_close(situation), tone="near")
    return Recommendation(text="No", to_do=_when_not_needed(situation), tone="good")


def is_close(entry: ThresholdEntry) -> bool:
    """Return True if a threshold was crossed just now, is nearly crossed, or will be crossed within an hour.

    A value of too few samples does not count.
    """
    if entry.state not in {State.INACTIVE, State.PENDING} or entry.verdict == ReadingVerdict.TOO_FEW_SAMPLES:
        return False
    forecast = entry.forecast_seconds
    is_soon = forecast is not None and forecast < SOON_SECONDS
    return entry.state == State.PENDING or share_used(entry) > NEAR or is_soon


def _when_unknown(situation: Situation) -> str:
    if not situation.is_fresh:
        return START_EVALUATOR
    return "Nothing to do: the figures appear with the first requests."


def _when_needed(situation: Situation) -> str:
    if situation.live_workers < 1:
        return START_WORKERS_ELSEWHERE if situation.needs_worker_host else START_WORKERS
    if situation.alarm:
        return "Check the workers: docs/operations.md says how."
    if situation.needs_worker_host:
        return f"Add a worker host: {WORKERS_SHARE_CORES}"
    if situation.flag.effective == "queue":
        return "Nothing to do: the queue is working."
    if situation.is_dry_run:
        return "Set dry_run to false in the limits file, so that the limits can change the mode."
    if situation.flag.setting == "inline":
        return "Let the limits decide: end the override, or set SPMS_MODE to auto."
    return "Nothing to do: the next evaluation turns the queue on."


def _when_close(situation: Situation) -> str:
    if situation.live_workers < 1:
        start = START_WORKERS_ELSEWHERE if situation.needs_worker_host else START_WORKERS
        return f"Have workers ready. {start}"
    if situation.needs_worker_host:
        return f"Have a worker host ready: {WORKERS_SHARE_CORES}"
    return "Nothing to do: the workers are ready."


def _when_not_needed(situation: Situation) -> str:
    if situation.waiting and situation.live_workers < 1:
        return f"Tasks are waiting and no worker is alive. {START_WORKERS}"
    if situation.flag.effective == "queue":
        return "Nothing to do: the queue is on because an operator chose it."
    return "Nothing to do."
