"""A cluster counts as live while it says so, or while its workers work."""

from datetime import timedelta

import pytest
from django.utils import timezone

from documents.models import Cluster, Task

pytestmark = pytest.mark.django_db

NOW_AND_THEN = timedelta(seconds=31)


@pytest.fixture
def late(monkeypatch):
    """A cluster on a starved machine, whose heartbeat is late."""
    monkeypatch.setattr(Cluster, "FRESH", timedelta(seconds=30))
    return Cluster.objects.create(name="host:1:a", workers=2, seen_at=timezone.now() - NOW_AND_THEN)


def make_task(worker, **values):
    values = {"kind": "pdf", "mode": "queue", "fingerprint": worker, "worker": worker} | values
    return Task.objects.create(**values)


def running(worker, lease_seconds):
    lease_until = timezone.now() + timedelta(seconds=lease_seconds)
    return make_task(worker, status="running", lease_until=lease_until)


def ended(worker, *, seconds_ago):
    return make_task(worker, status="succeeded", finished_at=timezone.now() - timedelta(seconds=seconds_ago))


def test_without_heartbeat_and_work_it_is_not_live(late):
    assert not Cluster.objects.live().exists()


def test_with_a_heartbeat_it_is_live_without_work(late):
    Cluster.objects.update(seen_at=timezone.now() - timedelta(seconds=29))
    assert Cluster.objects.live().get() == late


def test_a_claimed_or_renewed_task_keeps_it_live(late):
    running("host:1:a/77", 20)
    assert Cluster.objects.live().get() == late


def test_a_task_that_has_just_ended_keeps_it_live(late):
    ended("host:1:a/77", seconds_ago=5)
    assert Cluster.objects.live().get() == late


def test_work_of_others_old_work_and_work_of_a_wrong_clock_do_not(late):
    running("host:1:ab/77", 20)
    running("host:1:a/77", -1)
    running("host:1:a/78", 3600)
    ended("host:1:a/79", seconds_ago=31)
    ended("host:1:a/80", seconds_ago=-3600)
    assert not Cluster.objects.live().exists()


def test_of_many_tasks_few_are_read(late, django_assert_num_queries):
    """The query uses the indexes of unfinished and of newest tasks, whatever SQLite thinks of them."""
    plan = Cluster.objects.live().explain()
    assert "SCAN documents_task" not in plan.replace('"', ""), plan
