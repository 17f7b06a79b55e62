"""From the states of the thresholds to the mode, with reasons; pure: no clock, no input or output."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from metrics.decisions.threshold_state import ThresholdEvaluation
from metrics.durations import Epoch

type Mode = Literal["inline", "queue"]
type Setting = Literal["auto", "inline", "queue"]

REGRET_SECONDS = 7200.0
MAX_KEEP_SECONDS = 4 * 3600.0
MAX_BACKLOG = 2
MAX_DRAIN_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Queue:
    """The queue as a target: live workers, waiting tasks, and the seconds since a worker last took a task."""

    live_workers: int
    waiting: int
    stalled_seconds: float = 0.0

    @property
    def problem(self) -> str:
        """Why no work should be sent there; empty if it can be."""
        if self.live_workers < 1:
            return "no worker is alive"
        if self.stalled_seconds > MAX_DRAIN_SECONDS:
            return f"nothing was taken from it for {self.stalled_seconds:.0f} s"
        return ""


@dataclass(frozen=True, kw_only=True)
class SwitchState:
    """The state of the switch between two decisions; times in seconds since 1970."""

    mode: Mode = "inline"
    since: Epoch = 0.0
    hold_multiplier: float = 1.0
    returned_at: Epoch | None = None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The mode that the limits ask for, the reason in a sentence, and the state to remember.

    ``cause`` is the reason as a clause ("because of …", "until …") for pages that name the mode themselves; it is
    empty while the mode is inline. ``alarm`` says why a decision is not carried out.
    """

    switch_state: SwitchState
    reason: str
    cause: str = ""
    alarm: str = ""


def decide(
    judged: Sequence[ThresholdEvaluation], switch_state: SwitchState, queue: Queue, now: Epoch
) -> Decision:
    """Return the mode after an evaluation."""
    firing = [
        evaluation for evaluation in judged if evaluation.threshold.routes_to_queue and evaluation.is_firing
    ]
    if switch_state.mode == "inline":
        return _from_inline(firing, switch_state, queue, now)
    if firing:
        return _to_queue(switch_state, f"because of {_named(firing)}", alarm=queue.problem)
    if queue.waiting > MAX_BACKLOG and not queue.problem:
        return _to_queue(switch_state, f"until the {queue.waiting} waiting tasks are done")
    back = replace(switch_state, mode="inline", since=now, returned_at=now)
    return Decision(switch_state=back, reason="inline again: every limit has been kept for long enough")


def _from_inline(
    firing: Sequence[ThresholdEvaluation], switch_state: SwitchState, queue: Queue, now: Epoch
) -> Decision:
    if not firing:
        return Decision(
            switch_state=switch_state, reason="inline, because no limit that moves work is crossed"
        )
    if queue.problem:
        alarm = f"{_named(firing)}, but the queue is not used: {queue.problem}"
        return Decision(switch_state=switch_state, reason=f"inline although {alarm}", alarm=alarm)
    is_regretted = switch_state.returned_at is not None and now - switch_state.returned_at < REGRET_SECONDS
    keep_seconds = max(evaluation.threshold.keep_firing_for_seconds for evaluation in firing)
    most = max(1.0, MAX_KEEP_SECONDS / keep_seconds)
    factor = min(switch_state.hold_multiplier * 2, most) if is_regretted else 1.0
    entered = replace(switch_state, mode="queue", since=now, hold_multiplier=factor)
    return _to_queue(entered, f"because of {_named(firing)}")


def _to_queue(switch_state: SwitchState, cause: str, *, alarm: str = "") -> Decision:
    return Decision(switch_state=switch_state, reason=f"queue, {cause}", cause=cause, alarm=alarm)


def _named(firing: Sequence[ThresholdEvaluation]) -> str:
    return "; ".join(
        f"{evaluation.threshold.name.replace('_', ' ')}: {evaluation.reason}" for evaluation in firing
    )
