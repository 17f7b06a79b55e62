"""Whose render is whose turn: by the route of a task, and from when it was due."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from documents.infrastructure.slot_queue import Priority
from documents.models import Task
from documents.models.tasks import PRERENDER
from documents.tasks.pdf import task as pdf_task
from metrics.decisions.routing import OTHER_HOST


def turn_of(**values):
    return pdf_task._turn(Task(kind="pdf", **values))


@pytest.mark.parametrize(
    ("mode", "rule", "priority"),
    [
        ("inline", "mode", Priority.REQUEST),
        ("queue", "mode", Priority.QUEUE),
        ("queue", "client", Priority.QUEUE),
        ("queue", OTHER_HOST, Priority.REQUEST),
        ("queue", PRERENDER, Priority.BACKGROUND),
    ],
)
def test_the_priority_depends_on_the_route(mode, rule, priority):
    assert turn_of(mode=mode, routed_by=rule).priority == priority


def test_a_task_counts_from_when_it_was_due_and_never_from_the_future():
    now = timezone.now()
    waited = turn_of(claimable_at=now - timedelta(seconds=30)).requested_at
    assert waited <= time.monotonic() - 30
    before = time.monotonic()
    assert turn_of(claimable_at=now + timedelta(seconds=30)).requested_at >= before
