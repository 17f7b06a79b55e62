"""When workers of another machine would have made a PDF, from what they do and how fast their latest PDFs were."""

import math
from datetime import timedelta

import pytest
from django.utils import timezone

from documents.infrastructure import storage
from documents.models import Cluster, Pause, Task
from documents.queue import hints, leases, other_hosts, statistics
from documents.queue.requests import TaskRequest
from tests import factories

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("known")]
ESTIMATE_SECONDS = 3.0


@pytest.fixture
def known(monkeypatch):
    """Have a PDF take two seconds, and the way through the queue nothing."""
    monkeypatch.setattr(statistics, "mean_work_seconds", lambda: 2.0)
    monkeypatch.setattr(other_hosts, "QUEUE_SECONDS", 0.0)


def workers_on(host, workers=2):
    return Cluster.objects.create(name=f"{host}:1:a", workers=workers)


def enqueue(number):
    request = TaskRequest(kind="pdf", fingerprint=str(number))
    return hints.submit_in_background(request, user=factories.user(f"person {number}"))[0]


def make_pdfs(host, seconds, *, count=other_hosts.MIN_PDFS, ago=timedelta()):
    for number in range(count):
        Task.objects.create(
            kind="pdf",
            fingerprint=f"{host} {number}",
            status=Task.Status.SUCCEEDED,
            worker=f"{host}:1:a/2",
            finished_at=timezone.now() - ago,
            result={"seconds": seconds},
        )


def test_no_other_machine_makes_anything_while_all_workers_are_here():
    workers_on(storage.host())
    assert other_hosts.ready_seconds(ESTIMATE_SECONDS) == math.inf


def test_a_paused_queue_makes_nothing():
    workers_on("other")
    workers_on(storage.host())
    Pause.objects.create(by="maintainer")
    assert other_hosts.ready_seconds(ESTIMATE_SECONDS) == math.inf
    assert not other_hosts.shares_queue()


@pytest.mark.parametrize(
    ("hosts", "is_shared"), [([], False), (["here"], False), (["other"], False), (["here", "other"], True)]
)
def test_machines_share_the_queue_if_this_one_and_another_have_workers(hosts, is_shared):
    for host in hosts:
        workers_on(storage.host() if host == "here" else host)
    assert other_hosts.shares_queue() is is_shared


@pytest.mark.parametrize(("waiting", "seconds"), [(0, 3.0), (1, 3.0), (2, 4.0), (4, 6.0)])
def test_a_free_worker_begins_at_once_and_a_busy_one_after_what_is_queued(waiting, seconds):
    workers_on("other")
    for number in range(waiting):
        enqueue(number)
    assert other_hosts.ready_seconds(ESTIMATE_SECONDS) == seconds


def test_what_other_machines_render_comes_first_and_what_this_one_renders_does_not():
    workers_on("other", workers=1)
    workers_on(storage.host())
    assert leases.claim(enqueue(1).pk, f"{storage.host()}:1:a/2")
    assert other_hosts.ready_seconds(ESTIMATE_SECONDS) == 3.0
    assert leases.claim(enqueue(2).pk, "other:1:a/2")
    assert other_hosts.ready_seconds(ESTIMATE_SECONDS) == 5.0


def test_a_machine_that_needs_half_as_long_is_ready_in_half_the_time():
    workers_on("other", workers=1)
    enqueue(1)
    make_pdfs(storage.host(), 0.8)
    make_pdfs("other", 0.4)
    assert other_hosts.ready_seconds(ESTIMATE_SECONDS) == pytest.approx((2 + ESTIMATE_SECONDS) / 2)


@pytest.mark.parametrize(
    "few", [{"count": other_hosts.MIN_PDFS - 1}, {"ago": other_hosts.RECENT + timedelta(seconds=1)}]
)
def test_speeds_are_compared_only_by_enough_recent_pdfs(few):
    workers_on("other")
    make_pdfs(storage.host(), 0.8)
    make_pdfs("other", 0.4, **few)
    assert other_hosts.ready_seconds(ESTIMATE_SECONDS) == ESTIMATE_SECONDS
