"""The rules that send a PDF inline or to the queue; pure, so that the API and a replay follow the same rules."""

from collections.abc import Callable
from dataclasses import dataclass

from metrics.decisions.switch import Mode

# With an estimated wait longer than this, a short render runs inline also in queue mode.
SPILL_SECONDS = 60.0
# People who wait for an answer longer than this are unhappy (Nielsen, 1993: the limit for keeping attention).
MAX_PATIENCE_SECONDS = 10.0
# The rule that offers a PDF to the workers of all machines, as this one is busy or slower.
OTHER_HOST = "other_host"


@dataclass(frozen=True, kw_only=True)
class Route:
    """Where a PDF is rendered, and the name of the rule that decided."""

    mode: Mode
    rule: str


@dataclass(frozen=True, kw_only=True)
class Prospects:
    """How long a PDF would wait for its render, inline and in the queue.

    ``inline_wait_seconds`` is 0 while a render slot of this machine is free. The others are asked for only when they
    matter: the seconds until a worker takes a new task, whether PDFs of the queue wait for the same slots, whether
    workers of this machine and of others share the queue, and the seconds until the PDF is ready if a worker of another
    machine makes it; infinite while there is none.
    """

    inline_wait_seconds: float
    queue_wait_seconds: Callable[[], float]
    has_queue_ahead: Callable[[], bool]
    shares_queue: Callable[[], bool]
    ready_elsewhere_seconds: Callable[[], float]


def choose(
    *,
    mode: Mode,
    is_auto: bool,
    prefers_queue: bool,
    estimate_seconds: float,
    deadline_seconds: float,
    has_slot: bool,
    has_workers: bool,
    prospects: Prospects,
) -> Route:
    """Choose the route of a PDF; rules for a single request apply only while the limits decide (auto).

    ``estimate_seconds`` is what the render takes alone, ``deadline_seconds`` the time an inline request has;
    ``has_slot`` says whether a thread is free that may render.
    """
    if prefers_queue and has_workers:
        return Route(mode="queue", rule="client")
    if mode == "queue":
        may_spill = is_auto and has_slot and estimate_seconds < deadline_seconds
        return _choose_in_queue_mode(
            may_spill=may_spill, has_slot=has_slot, has_workers=has_workers, prospects=prospects
        )
    if is_auto and has_workers:
        rule = _rule_against_inline(estimate_seconds, deadline_seconds, has_slot, prospects)
        if rule is not None:
            return Route(mode="queue", rule=rule)
    return Route(mode="inline", rule="mode")


def _rule_against_inline(
    estimate_seconds: float, deadline_seconds: float, has_slot: bool, prospects: Prospects
) -> str | None:
    """Return the rule that sends a PDF to the queue in inline mode, or None if it is ready inline as early."""
    if estimate_seconds > deadline_seconds:
        return "estimate"
    if not has_slot:
        return "bulkhead"
    ready_seconds = prospects.inline_wait_seconds + estimate_seconds
    if prospects.inline_wait_seconds and ready_seconds > min(deadline_seconds, MAX_PATIENCE_SECONDS):
        return "patience"
    if _is_for_other_hosts(ready_seconds, prospects):
        return OTHER_HOST
    # Inline it would overtake them: between two tasks of a worker, its slot looks free.
    return "order" if prospects.has_queue_ahead() else None


def _is_for_other_hosts(ready_seconds: float, prospects: Prospects) -> bool:
    """Return True if other machines should have their chance, as this one is busy or slower."""
    # From the queue, whichever machine is free first takes it, also this one: inline is never earlier then.
    if prospects.shares_queue() and (prospects.inline_wait_seconds or prospects.queue_wait_seconds()):
        return True
    return prospects.ready_elsewhere_seconds() < ready_seconds


def _choose_in_queue_mode(
    *, may_spill: bool, has_slot: bool, has_workers: bool, prospects: Prospects
) -> Route:
    if not has_workers:
        # Rendering here is better than never; without a free slot the task waits until a worker comes.
        return Route(mode="inline" if has_slot else "queue", rule="no_worker")
    is_free = may_spill and not prospects.inline_wait_seconds
    if is_free and prospects.queue_wait_seconds() > SPILL_SECONDS:
        return Route(mode="inline", rule="spill")
    return Route(mode="queue", rule="mode")
