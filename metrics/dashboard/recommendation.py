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


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """The answer in a few words, what to do now in one line, and a tone: good, near, queue or unknown."""

    text: str
    to_do: str
    tone: str


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What the answer depends on besides the limits: the workers, the waiting tasks, and the mode."""

    flag: Flag
    is_fresh: bool
    live_workers: int
    waiting: int
    alarm: str = ""
    is_dry_run: bool = False


def recommend(situation: Situation, entries: Sequence[ThresholdEntry]) -> Recommendation:
    """Return whether the limits that move work require a queue, whatever mode an operator has chosen."""
    routing = [entry for entry in entries if entry.routes_to_queue]
    if not situation.is_fresh or all(entry.value is None for entry in routing):
        return Recommendation(text="Not known", to_do=_when_unknown(situation), tone="unknown")
    if is_any_firing(routing) or (situation.flag.setting == "auto" and situation.flag.effective == "queue"):
        return Recommendation(text="Yes", to_do=_when_needed(situation), tone="queue")
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
        return START_WORKERS
    if situation.alarm:
        return "Check the workers: docs/operations.md says how."
    if situation.flag.effective == "queue":
        return "Nothing to do: the queue is working."
    if situation.is_dry_run:
        return "Set dry_run to false in the limits file, so that the limits can change the mode."
    if situation.flag.setting == "inline":
        return "Let the limits decide: end the override, or set SPMS_MODE to auto."
    return "Nothing to do: the next evaluation turns the queue on."


def _when_close(situation: Situation) -> str:
    if situation.live_workers < 1:
        return f"Have workers ready. {START_WORKERS}"
    return "Nothing to do: the workers are ready."


def _when_not_needed(situation: Situation) -> str:
    if situation.waiting and situation.live_workers < 1:
        return f"Tasks are waiting and no worker is alive. {START_WORKERS}"
    if situation.flag.effective == "queue":
        return "Nothing to do: the queue is on because an operator chose it."
    return "Nothing to do."
