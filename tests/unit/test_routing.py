"""The rules that send a PDF inline or to the queue: each of them, on both sides."""

import pytest

from metrics.decisions.routing import SPILL_SECONDS, Route, choose

INLINE = {
    "mode": "inline",
    "is_auto": True,
    "prefers_queue": False,
    "estimate_seconds": 1.0,
    "deadline_seconds": 30.0,
    "has_slot": True,
    "has_workers": True,
    "estimated_wait_seconds": lambda: 0.0,
}
QUEUE = INLINE | {"mode": "queue"}
BUSY = {"estimated_wait_seconds": lambda: SPILL_SECONDS + 1}


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
        (QUEUE, "queue", "mode"),
        (QUEUE | {"is_auto": False}, "queue", "mode"),
        (QUEUE | {"has_slot": False}, "queue", "mode"),
        (QUEUE | {"prefers_queue": True} | BUSY, "queue", "client"),
        (QUEUE | {"prefers_queue": True, "has_workers": False}, "inline", "no_worker"),
        (QUEUE | {"has_workers": False}, "inline", "no_worker"),
        (QUEUE | {"has_workers": False, "has_slot": False}, "queue", "no_worker"),
        (QUEUE | BUSY, "inline", "spill"),
        (QUEUE | {"estimated_wait_seconds": lambda: SPILL_SECONDS}, "queue", "mode"),
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
def test_the_wait_is_estimated_only_when_it_matters(facts):
    choose(**facts | {"estimated_wait_seconds": lambda: pytest.fail("the wait was estimated")})
