"""Web processes report themselves; the evaluation counts what live hosts report, and the settings if none does."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from documents.models import Cluster, Task
from documents.operations import task_metrics
from documents.queue import thread_shares
from metrics.collection import web_processes
from metrics.collection.sources import SnapshotSource
from metrics.decisions.hosts import WebReport
from metrics.decisions.inline_model import HostModel, ServerModel
from metrics.evaluation import capacity, evaluator
from metrics.models import ModeState, WebProcess
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _usual_deadline(settings):
    settings.SPMS_INLINE_DEADLINE = 30.0


def report(host, number=1, threads=16, render_slots=2, seen_at=None):
    return WebProcess.objects.create(
        name=f"{host}:{number}",
        host=host,
        threads=threads,
        render_slots=render_slots,
        seen_at=seen_at or Now(),
    )


def test_without_a_report_the_settings_count(settings):
    settings.SPMS_WEB_THREADS, settings.SPMS_RENDER_SLOTS = 12, 3
    assert capacity.server_model() == ServerModel(web_threads=12, render_slots=3, deadline_seconds=30.0)


def test_the_hosts_that_report_are_added_up():
    report("a", 1)
    report("a", 2)
    report("b", 1, threads=8, render_slots=1)
    assert capacity.server_model() == ServerModel(
        web_threads=40,
        render_slots=3,
        deadline_seconds=30.0,
        hosts=(HostModel("a", 32, 2), HostModel("b", 8, 1)),
    )


def test_a_process_that_is_silent_or_dated_in_the_future_does_not_count():
    for number, away in enumerate((-2 * HOUR, -timedelta(seconds=60), timedelta(seconds=60), 5 * HOUR)):
        report("a", number, seen_at=timezone.now() + away)
    assert web_processes.live() == []


def test_a_host_whose_clock_is_wrong_counts_as_the_database_dates_its_heartbeats(monkeypatch):
    wrong = timezone.now() + 7 * HOUR
    monkeypatch.setattr(timezone, "now", lambda: wrong)
    web_processes.Heartbeat(threads=16, render_slots=2).beat()
    assert [process.threads for process in web_processes.live()] == [16]


def test_a_first_heartbeat_removes_what_was_killed_long_ago_and_nothing_else():
    report("dead", seen_at=timezone.now() - 2 * HOUR)
    report("future", seen_at=timezone.now() + 2 * HOUR)
    report("late", seen_at=timezone.now() - HOUR / 2)
    heartbeat = web_processes.Heartbeat(threads=16, render_slots=2)
    heartbeat.beat()
    heartbeat.beat()
    assert sorted(WebProcess.objects.values_list("host", flat=True)) == sorted(
        ["late", web_processes.host_name()]
    )


def test_nonsense_among_the_rows_breaks_no_evaluation_and_no_page(api, staff_pages):
    report("x" * 110, threads=2**31 - 1)
    report("a", threads=0)
    report("b", render_slots=2**31 - 1)
    Cluster.objects.create(name="x" * 120, workers=32_767, render_slots=2**31 - 1)
    Cluster.objects.create(name=":::", workers=2, render_slots=0)
    report("good", threads=4, render_slots=2)
    assert evaluator.tick(SnapshotSource())
    assert capacity.server_model() == ServerModel(web_threads=4, render_slots=2, deadline_seconds=30.0)
    assert [host["name"] for host in api.get("/api/v1/thresholds/").data["hosts"]] == ["", "good"]
    assert staff_pages.get("/dashboard/").status_code == 200


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite lets a test store it")
def test_a_negative_number_in_a_row_is_left_out():
    report("good")
    row = report("bad")
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA ignore_check_constraints = ON")
        cursor.execute("UPDATE metrics_webprocess SET threads = -5 WHERE name = %s", [row.name])
        cursor.execute("PRAGMA ignore_check_constraints = OFF")
    assert capacity.server_model().web_threads == 16


def pdf_of(worker, number=0):
    return Task.objects.create(
        kind="pdf", fingerprint=f"{worker} {number}", status="succeeded", worker=worker, result={"seconds": 1}
    )


def test_the_evaluation_tells_the_api_and_the_dashboard_of_the_hosts(api, staff_pages):
    report("web-1")
    Cluster.objects.create(name="web-1:7:a", workers=2, render_slots=2)
    Cluster.objects.create(name="worker-1:8:b", workers=4, render_slots=4)
    for number in range(3):
        pdf_of("worker-1:8:b/70", number)
    pdf_of("web-1:web/60")
    assert evaluator.tick(SnapshotSource())
    assert api.get("/api/v1/thresholds/").data["hosts"] == [
        {"name": "web-1", "web_threads": 16, "render_slots": 2, "workers": 2, "work_share": 0.25},
        {"name": "worker-1", "web_threads": 0, "render_slots": 4, "workers": 4, "work_share": 0.75},
    ]
    page = staff_pages.get("/dashboard/").content.decode()
    assert page.count('data-testid="host"') == 2
    assert page.count("workers and web share its cores") == 1
    assert "75 %" in page


def busy(hosts=("a",), workers_on=("a",)):
    """Report web hosts of one slot each that PDFs keep busy for four of the last five minutes."""
    for host in hosts:
        report(host, render_slots=1)
    for host in workers_on:
        Cluster.objects.create(name=f"{host}:1:a", workers=1, render_slots=1)
    for number in range(40):
        task = pdf_of(f"{hosts[0]}:web/1", number)
        Task.objects.filter(pk=task.pk).update(
            created_at=timezone.now() - timedelta(seconds=7 * number + 1), result={"seconds": 7.0}
        )


@pytest.mark.parametrize(
    ("workers_on", "to_do"),
    [
        (("a",), "Add a worker host"),
        ((), "Start workers on another host"),
        (("a", "b"), "the next evaluation turns the queue on"),
    ],
)
def test_where_the_machine_is_full_workers_belong_on_another_host(staff_pages, settings, workers_on, to_do):
    settings.SPMS_MODE = "auto"
    busy(workers_on=workers_on)
    evaluator.tick(SnapshotSource())
    state = ModeState.objects.get()
    state.report["thresholds"][0] |= {"value": 9.0, "state": "firing", "routes_to_queue": True}
    state.save()
    page = staff_pages.get("/dashboard/").content.decode()
    said = page.partition('data-testid="to-do">')[2].partition("<")[0]
    assert to_do in said


def test_what_failed_while_it_waited_does_not_count_with_its_wait(owner):
    now = timezone.now()
    pdf_of("a:web/1")
    late = Task.objects.create(kind="pdf", fingerprint="late", status="failed", worker="a:web/1")
    Task.objects.filter(pk=late.pk).update(started_at=now - timedelta(seconds=30), finished_at=now)
    quick = Task.objects.create(kind="pdf", fingerprint="quick", status="failed", worker="a:web/1")
    Task.objects.filter(pk=quick.pk).update(started_at=now - timedelta(seconds=0.5), finished_at=now)
    seconds = [arrival.service_seconds for arrival in task_metrics.arrivals(now.timestamp() - 60)]
    assert sorted(seconds) == pytest.approx([0.5, 1.0, 1.0])


def test_a_pdf_counts_on_the_web_host_that_rendered_it_and_one_of_the_queue_on_none(owner):
    pdf_of("web-1:web/60")
    queued = pdf_of("web-1:7:a/70")
    Task.objects.filter(pk=queued.pk).update(mode="queue")
    hosts = [arrival.host for arrival in task_metrics.arrivals(timezone.now().timestamp() - 60)]
    assert sorted(hosts) == ["", "web-1"]


def test_pdfs_of_a_host_whose_clock_is_ahead_do_not_count_for_hours(owner):
    ahead, now = pdf_of("web-1:web/60"), timezone.now()
    Task.objects.filter(pk=ahead.pk).update(created_at=now + HOUR, mode="queue")
    assert task_metrics.arrivals(now.timestamp() - 60) == []
    assert not task_metrics.any_queued(now.timestamp() - 60)


def test_each_web_process_has_its_part_of_the_hosts_shares(settings):
    settings.SPMS_WEB_THREADS, settings.SPMS_INLINE_SLOTS, settings.SPMS_WEB_PROCESSES = 32, 4, 2
    parts = thread_shares.inline_slots, thread_shares.inline_share, thread_shares.waiting_share
    assert [count_free(part()) for part in parts] == [2, 8, 4]


def count_free(share):
    count = 0
    while share.acquire(blocking=False):
        count += 1
    return count


class TestInAThread:
    pytestmark = pytest.mark.django_db(transaction=True)

    def test_it_reports_itself_until_it_ends(self):
        web_processes.start_heartbeat(threads=8, render_slots=2)
        try:
            [process] = wait_for(web_processes.live)
            assert process == WebReport(host=web_processes.host_name(), threads=8, render_slots=2)
        finally:
            web_processes.stop_heartbeat()
        assert not WebProcess.objects.exists()
