"""The rules that send a PDF inline or to the queue: each of them, on both sides."""

import math
from dataclasses import replace

import pytest

from metrics.decisions.routing import (
    MAX_PATIENCE_SECONDS,
    SPILL_SECONDS,
    Prospects,
    Route,
    choose,
)

FREE = Prospects(
    inline_wait_seconds=0.0,
    queue_wait_seconds=lambda: 0.0,
    has_queue_ahead=lambda: False,
    shares_queue=lambda: False,
    ready_elsewhere_seconds=lambda: math.inf,
)
SLOTS_BUSY = replace(FREE, inline_wait_seconds=2.0)
INLINE = {
    "mode": "inline",
    "is_auto": True,
    "prefers_queue": False,
    "estimate_seconds": 1.0,
    "deadline_seconds": 30.0,
    "has_slot": True,
    "has_workers": True,
    "prospects": FREE,
}
QUEUE = INLINE | {"mode": "queue"}
LONG_WAIT = replace(FREE, queue_wait_seconds=lambda: SPILL_SECONDS + 1)
BUSY = {"prospects": LONG_WAIT}
QUEUE_AHEAD = replace(FREE, has_queue_ahead=lambda: True)
IDLE_HOSTS = replace(FREE, shares_queue=lambda: True)
SHARED_QUEUE = {"prospects": replace(SLOTS_BUSY, shares_queue=lambda: True)}
OTHER_HOST = {"prospects": replace(SLOTS_BUSY, ready_elsewhere_seconds=lambda: 2.9)}


def ready_elsewhere(seconds):
    return {"prospects": replace(FREE, ready_elsewhere_seconds=lambda: seconds)}


def waiting_inline(seconds):
    return {"prospects": replace(FREE, inline_wait_seconds=seconds)}


@pytest.mark.parametrize(
    ("facts", "mode", "rule"),
    [
        (INLINE, "inline", "mode"),
        (INLINE | {"is_auto": False}, "inline", "mode"),
        (INLINE | {"prefers_queue": True}, "queue", "client"),
        (INLINE | {"prefers_queue": True, "is_auto": False}, "queue", "client"),
        (INLINE | {"prefers_queue": True, "has_workers": False}, "inline", "mode"),
        (INLINE | {"estimate_seconds": 30.0}, "inline", "mode"),
        (INLINE | {"estimate_seconds": 31.0}, "queue", "estimate"),
        (INLINE | {"estimate_seconds": 31.0, "has_slot": False}, "queue", "estimate"),
        (INLINE | {"estimate_seconds": 31.0, "is_auto": False}, "inline", "mode"),
        (INLINE | {"estimate_seconds": 31.0, "has_workers": False}, "inline", "mode"),
        (INLINE | {"has_slot": False}, "queue", "bulkhead"),
        (INLINE | {"has_slot": False, "is_auto": False}, "inline", "mode"),
        (INLINE | {"has_slot": False, "has_workers": False}, "inline", "mode"),
        (INLINE | BUSY, "inline", "mode"),
        (INLINE | waiting_inline(2.0), "inline", "mode"),
        (INLINE | waiting_inline(MAX_PATIENCE_SECONDS - 1), "inline", "mode"),
        (INLINE | waiting_inline(MAX_PATIENCE_SECONDS), "queue", "patience"),
        (INLINE | waiting_inline(4.5) | {"deadline_seconds": 5.0}, "queue", "patience"),
        (INLINE | waiting_inline(MAX_PATIENCE_SECONDS) | {"is_auto": False}, "inline", "mode"),
        (INLINE | waiting_inline(MAX_PATIENCE_SECONDS) | {"has_workers": False}, "inline", "mode"),
        (INLINE | {"estimate_seconds": 20.0}, "inline", "mode"),
        (INLINE | {"prospects": QUEUE_AHEAD}, "queue", "order"),
        (INLINE | {"prospects": replace(QUEUE_AHEAD, inline_wait_seconds=2.0)}, "queue", "order"),
        (
            INLINE | {"prospects": replace(QUEUE_AHEAD, ready_elsewhere_seconds=lambda: 0.9)},
            "queue",
            "other_host",
        ),
        (INLINE | {"prospects": QUEUE_AHEAD, "is_auto": False}, "inline", "mode"),
        (INLINE | {"prospects": QUEUE_AHEAD, "has_workers": False}, "inline", "mode"),
        (INLINE | OTHER_HOST, "queue", "other_host"),
        (INLINE | SHARED_QUEUE, "queue", "other_host"),
        (INLINE | SHARED_QUEUE | {"is_auto": False}, "inline", "mode"),
        (INLINE | {"prospects": IDLE_HOSTS}, "inline", "mode"),
        (INLINE | {"prospects": replace(IDLE_HOSTS, queue_wait_seconds=lambda: 0.1)}, "queue", "other_host"),
        (INLINE | ready_elsewhere(0.9), "queue", "other_host"),
        (INLINE | ready_elsewhere(1.0), "inline", "mode"),
        (INLINE | ready_elsewhere(0.9) | {"is_auto": False}, "inline", "mode"),
        (INLINE | ready_elsewhere(0.9) | {"has_workers": False}, "inline", "mode"),
        (QUEUE, "queue", "mode"),
        (QUEUE | {"is_auto": False}, "queue", "mode"),
        (QUEUE | {"has_slot": False}, "queue", "mode"),
        (QUEUE | {"prefers_queue": True} | BUSY, "queue", "client"),
        (QUEUE | {"prefers_queue": True, "has_workers": False}, "inline", "no_worker"),
        (QUEUE | {"has_workers": False}, "inline", "no_worker"),
        (QUEUE | {"has_workers": False, "has_slot": False}, "queue", "no_worker"),
        (QUEUE | BUSY, "inline", "spill"),
        (QUEUE | {"prospects": replace(LONG_WAIT, inline_wait_seconds=0.1)}, "queue", "mode"),
        (QUEUE | {"prospects": replace(FREE, queue_wait_seconds=lambda: SPILL_SECONDS)}, "queue", "mode"),
        (QUEUE | BUSY | {"estimate_seconds": 29.9}, "inline", "spill"),
        (QUEUE | BUSY | {"estimate_seconds": 30.0}, "queue", "mode"),
        (QUEUE | BUSY | {"is_auto": False}, "queue", "mode"),
        (QUEUE | BUSY | {"has_slot": False}, "queue", "mode"),
        (QUEUE | BUSY | {"has_workers": False}, "inline", "no_worker"),
    ],
)
def test_each_rule_applies_on_its_side_of_the_boundary_only(facts, mode, rule):
    assert choose(**facts) == Route(mode=mode, rule=rule)


@pytest.mark.parametrize(
    "facts", [INLINE, QUEUE | {"is_auto": False}, QUEUE | {"has_slot": False}, QUEUE | {"has_workers": False}]
)
def test_the_queue_is_asked_only_when_it_matters(facts):
    def fail():
        pytest.fail("the queue was asked")

    choose(**facts | {"prospects": replace(FREE, queue_wait_seconds=fail)})


@pytest.mark.parametrize("facts", [INLINE | {"is_auto": False}, QUEUE, INLINE | {"has_workers": False}])
def test_workers_are_asked_for_only_when_they_matter(facts):
    def fail():
        pytest.fail("they were asked for")

    asking = replace(FREE, has_queue_ahead=fail, shares_queue=fail, ready_elsewhere_seconds=fail)
    choose(**facts | {"prospects": asking})
