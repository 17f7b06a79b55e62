"""Cases of the same fault are counted together."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from documents.queue.failure_groups import group_failures, normalise

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("The image 12 is broken.", "The image 7 is broken."),
        ("No 5e8a7160-9dc4-4775-8414-3d1474538e07 there", "No 39835069-f536-47ae-adea-522b214ac579 there"),
        ("cannot read /data/a/b.png: gone", "cannot read /data/c.png: gone"),
        ("at 0x7f31c7a0e210", "at 0x7fcd20dab070"),
        ("“Aims” is too long", "“Background and rationale” is too long"),
        ("took 1.5 s", "took 22.25 s"),
    ],
)
def test_what_differs_from_case_to_case_does_not_count(first, second):
    assert normalise(first) == normalise(second)


def test_different_faults_stay_apart():
    assert normalise("The image is broken.") != normalise("The table is broken.")


@given(st.text())
def test_any_text_can_be_normalised_and_again_without_change(text):
    once = normalise(text)
    assert len(once) <= 300
    assert "\n" not in once


def row(detail, minutes=0, kind="pdf"):
    return uuid.uuid4(), kind, {"title": "Broken", "detail": detail}, NOON + timedelta(minutes=minutes)


def test_groups_tell_how_many_and_from_when_to_when():
    rows = [row("image 1", 5), row("image 22", 1), row("table"), row("image 1", kind="export")]
    largest = group_failures(rows)[0]
    assert (largest.count, largest.title, largest.detail) == (2, "Broken", "image <n>")
    assert (largest.first_at, largest.last_at) == (NOON + timedelta(minutes=1), NOON + timedelta(minutes=5))
    assert set(largest.task_ids) == {rows[0][0], rows[1][0]}
    assert len(group_failures(rows)) == 3
    assert len({group.key for group in group_failures(rows)}) == 3


def test_a_task_without_an_error_is_counted_too():
    assert group_failures([(uuid.uuid4(), "pdf", None, None)])[0].count == 1
