"""The rules that send a PDF inline or to the queue; pure, so that the API and a replay follow the same rules."""

from collections.abc import Callable
from dataclasses import dataclass

from metrics.decisions.switch import Mode

# With an estimated wait longer than this, a short render runs inline also in queue mode.
SPILL_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Route:
    """Where a PDF is rendered, and the name of the rule that decided."""

    mode: Mode
    rule: str


def choose(
    *,
    mode: Mode,
    is_auto: bool,
    prefers_queue: bool,
    estimate_seconds: float,
    deadline_seconds: float,
    has_slot: bool,
    has_workers: bool,
    estimated_wait_seconds: Callable[[], float],
) -> Route:
    """Choose the route of a PDF; rules for a single request apply only while the limits decide (auto).

    ``estimate_seconds`` is what the render takes alone, ``deadline_seconds`` the time an inline request has;
    ``estimated_wait_seconds`` is called only when the wait for a worker matters.
    """
    if prefers_queue and has_workers:
        return Route(mode="queue", rule="client")
    if mode == "queue":
        may_spill = is_auto and has_slot and estimate_seconds < deadline_seconds
        return _choose_in_queue_mode(
            may_spill=may_spill,
            has_slot=has_slot,
            has_workers=has_workers,
            estimated_wait_seconds=estimated_wait_seconds,
        )
    if is_auto and has_workers and estimate_seconds > deadline_seconds:
        return Route(mode="queue", rule="estimate")
    if is_auto and has_workers and not has_slot:
        return Route(mode="queue", rule="bulkhead")
    return Route(mode="inline", rule="mode")


def _choose_in_queue_mode(
    *, may_spill: bool, has_slot: bool, has_workers: bool, estimated_wait_seconds: Callable[[], float]
) -> Route:
    if not has_workers:
        # Rendering here is better than never; without a free slot the task waits until a worker comes.
        return Route(mode="inline" if has_slot else "queue", rule="no_worker")
    if may_spill and estimated_wait_seconds() > SPILL_SECONDS:
        return Route(mode="inline", rule="spill")
    return Route(mode="queue", rule="mode")
