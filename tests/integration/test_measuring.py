"""Requests are counted by route, cheaply and whoever asks; processes share slots; feedback counts."""

import contextlib
import os
import re
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
from django.core.management import call_command
from django.utils import timezone

from documents.infrastructure import storage
from documents.models import Cluster, Task
from documents.operations.backup import create
from documents.queue import thread_shares
from metrics import flag, instruments, middleware
from metrics.collection import activity, feedback, snapshots
from metrics.decisions import metric_names
from metrics.decisions.criteria import CRITERIA, Statistic
from metrics.models import Feedback, ModeState, Presence
from metrics.prometheus.exposition import GAUGES
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).parent.parent.parent


def total(text, start):
    """Return the sum of the samples of an answer of /metrics that begin so."""
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(start))


def scraped(client):
    return client.get("/metrics").content.decode()


def test_a_scrape_reads_the_files_of_the_processes_once(client, monkeypatch):
    merge = mock.Mock(wraps=snapshots.samples)
    monkeypatch.setattr(snapshots, "samples", merge)
    text = scraped(client)
    assert merge.call_count == 1
    assert all(name in text for name in ("spms_http_requests_started_total", "spms_http_requests_in_flight"))


@pytest.mark.parametrize(
    ("route", "shown"),
    [
        ("api/v1/^documents/(?P<pk>[^/.]+)/pdf/$", "api/v1/documents/{pk}/pdf/"),
        ("api/v1/^tasks/(?P<pk>[0-9a-f-]{36})/$", "api/v1/tasks/{pk}/"),
        ("api/v1/images/<uuid:pk>/", "api/v1/images/{pk}/"),
        ("healthz/live", "healthz/live"),
    ],
)
def test_a_route_is_shown_as_a_template(route, shown):
    assert middleware.template(route) == shown


def test_requests_are_counted_by_template_and_never_by_address(api, client, plan):
    before = scraped(client)
    api.get(f"/api/v1/documents/{plan.pk}/")
    api.get("/api/v1/documents/999999/")
    client.get("/nowhere/at/all")
    after = scraped(client)
    for method, status in (("GET", "2xx"), ("(other)", "4xx")):
        count = (
            f'{metric_names.REQUEST_SECONDS}_count{{method="{method}",route="api/v1/documents/{{pk}}/",'
            f'status="{status}"}}'
        )
        assert total(after, count) - total(before, count) == 1
    assert "documents/999999" not in after
    assert 'route="(none)"' in after
    for name in ("started", "finished"):
        assert (
            total(after, f"spms_http_requests_{name}_total")
            - total(before, f"spms_http_requests_{name}_total")
            == 2
        )


def test_refused_requests_make_one_series_for_each_route_whatever_their_method(client, plan):
    def methods_of(route, status):
        labels = rf'method="([^"]+)",route="{re.escape(route)}",status="{status}"'
        return set(re.findall(rf"{metric_names.REQUEST_SECONDS}_count{{{labels}", scraped(client)))

    routes = {"api/v1/documents/{pk}/": "4xx", "dashboard/cycles/{pk}/act/": "3xx"}
    before = {route: methods_of(route, status) for route, status in routes.items()}
    for path in (f"/api/v1/documents/{plan.pk}/", "/dashboard/cycles/1/act/"):
        for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
            client.generic(method, path)
    for route, status in routes.items():
        assert methods_of(route, status) == before[route] | {"(other)"}


def test_the_time_that_a_client_asked_to_wait_is_left_out(api, plan, settings, client):
    settings.SPMS_MODE = "queue"
    Cluster.objects.create(name="host:1:a", workers=2)
    task = api.post(f"/api/v1/documents/{plan.pk}/pdf/").data
    before = scraped(client)
    api.get(f"/api/v1/tasks/{task['task_id']}/", {"wait": 2})
    after = scraped(client)
    name = f'{metric_names.REQUEST_SECONDS}_sum{{method="GET",route="api/v1/tasks/{{pk}}/"'
    assert total(after, name) - total(before, name) < 1


def test_a_render_is_counted_by_kind_and_mode(api, plan, client):
    before = scraped(client)
    api.post(f"/api/v1/documents/{plan.pk}/pdf/")
    after = scraped(client)
    for start in (
        'spms_render_duration_seconds_count{kind="concept_plan",mode="inline"}',
        'spms_renders_total{kind="concept_plan",mode="inline",outcome="succeeded"}',
        'spms_task_wait_seconds_count{kind="pdf"}',
        'spms_tasks_routed_total{mode="inline",rule="mode"}',
    ):
        assert total(after, start) - total(before, start) == 1, start
    assert total(after, "spms_rendered_pages_total") > total(before, "spms_rendered_pages_total")


def test_the_wait_for_a_free_worker_is_taken_from_the_proxys_header(api, client, monkeypatch):
    before, now = scraped(client), time.time()
    stopped_clock = SimpleNamespace(time=lambda: now, perf_counter=time.perf_counter)
    monkeypatch.setattr(middleware, "time", stopped_clock)
    for sent in (
        f"t={now - 2:.3f}",
        f"{(now - 2) * 1000:.0f}",
        "nonsense",
        "t=-1",
        "t=99999999999999999",
    ):
        api.get("/api/v1/mode/", headers={"X-Request-Start": sent})
    after = scraped(client)
    name = "spms_http_request_queue_duration_seconds"
    assert total(after, f"{name}_count") - total(before, f"{name}_count") == 2
    assert total(after, f"{name}_sum") - total(before, f"{name}_sum") == pytest.approx(4, abs=0.01)


def test_who_is_active_is_counted_once(api, client_of, member, plan):
    for _ in range(3):
        api.get("/api/v1/mode/")
    client_of(member).get("/api/v1/mode/")
    assert (activity.active_users(), Presence.objects.count()) == (2, 2)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"REMOTE_ADDR": "203.0.113.9"}, 403),
        ({"HTTP_X_FORWARDED_FOR": "203.0.113.9"}, 403),
        ({"REMOTE_ADDR": "203.0.113.9", "HTTP_AUTHORIZATION": "Bearer sesame"}, 200),
        ({"REMOTE_ADDR": "203.0.113.9", "HTTP_AUTHORIZATION": "Bearer guess"}, 403),
    ],
)
def test_the_counts_are_for_this_machine_and_who_has_the_token(client, settings, headers, status):
    settings.SPMS_METRICS_TOKEN = "sesame"
    assert client.get("/metrics", **headers).status_code == status


def test_staff_see_the_counts_from_anywhere_and_others_do_not(client, maintainer, owner):
    for user, status in ((maintainer, 200), (owner, 403)):
        client.force_login(user)
        assert client.get("/metrics", REMOTE_ADDR="203.0.113.9").status_code == status


def test_every_metric_that_a_limit_reads_is_there(client):
    text = scraped(client)
    for criterion in CRITERIA.values():
        for metric in criterion.metrics:
            name = f"{metric}_bucket" if criterion.kind not in {Statistic.GAUGE, Statistic.RATIO} else metric
            assert name in text, name
    assert set(GAUGES) - {
        "spms_evaluator_last_run_timestamp_seconds",
        "spms_last_backup_timestamp_seconds",
    } <= {line.split(" ")[0] for line in text.splitlines()}


def test_processes_that_are_killed_leave_exact_counts_and_few_files(tmp_path):
    script = """
import os, signal, sys
from metrics import instruments
instruments.recover_lost_requests()
for number in range(100):
    instruments.STARTED.inc()
    if number < 99:
        instruments.FINISHED.inc()
os.kill(os.getpid(), signal.SIGKILL)
"""
    folder = tmp_path / "counts"
    folder.mkdir()
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    for _ in range(12):
        subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment)
    last = """
from pathlib import Path
from prometheus_client.multiprocess import MultiProcessCollector
from metrics import instruments
from metrics.collection import process_slots
instruments.recover_lost_requests()
for family in MultiProcessCollector.merge([str(path) for path in process_slots.folder().glob("*.db")]):
    print(family.name, sum(sample.value for sample in family.samples))
"""
    command = [sys.executable, "-c", last]
    printed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert "spms_http_requests_started 1200.0" in printed.stdout
    assert "spms_http_requests_lost 12.0" in printed.stdout
    assert "spms_http_requests_timed_out 12.0" in printed.stdout
    assert len(list(folder.glob("*.db"))) <= 4


def test_a_fault_in_counting_breaks_nothing(api, plan, monkeypatch):
    def full(*args, **kwargs):
        raise OSError("no space left on device")

    monkeypatch.setattr(instruments.STARTED, "inc", full)
    monkeypatch.setattr(middleware, "_timer", full)
    monkeypatch.setattr(instruments, "_render_seconds", full)
    assert api.post(f"/api/v1/documents/{plan.pk}/pdf/").status_code == 201


def test_feedback_is_kept_and_complaints_are_counted(api, client):
    answer = api.post("/api/v1/feedback/", {"kind": "complaint", "text": "It took a minute."})
    assert (answer.status_code, answer.data["kind"]) == (201, "complaint")
    api.post("/api/v1/feedback/", {"kind": "praise"})
    assert (feedback.complaints(), Feedback.objects.count()) == (1, 2)
    assert total(scraped(client), 'spms_feedback_total{kind="praise"}') >= 1


@pytest.mark.parametrize(
    "body",
    [{}, {"kind": "rant"}, {"kind": "praise", "text": "x" * 2001}, {"kind": "praise", "task": "7"}, []],
)
def test_feedback_must_make_sense(api, body):
    assert api.post("/api/v1/feedback/", body, format="json").status_code == 400


def test_one_person_may_say_ten_things_a_day(api, client):
    statuses = [api.post("/api/v1/feedback/", {"kind": "praise"}).status_code for _ in range(11)]
    assert statuses == [201] * 10 + [429]
    assert client.post("/api/v1/feedback/", {"kind": "praise"}).status_code == 401


def test_the_rules_for_prometheus_have_every_limit_and_link_to_it(capsys, settings):
    settings.SPMS_URL = "https://spms.example.org"
    call_command("export_prometheus_rules")
    text = capsys.readouterr().out
    for name in CRITERIA.keys() - {"offered_load"}:
        assert f"record: spms:{name}" in text
        assert f"dashboard: https://spms.example.org/dashboard/#{name}\n" in text
    assert "spms:p95_response_time > 5" in text


class TestRoutes:
    """Which rule sends a PDF where; seen in the task."""

    @pytest.fixture(autouse=True)
    def _auto(self, settings):
        settings.SPMS_MODE = "auto"

    @pytest.fixture
    def cluster(self):
        return Cluster.objects.create(name="host:1:a", workers=2)

    def post(self, api, document):
        answer = api.post(f"/api/v1/documents/{document.pk}/pdf/")
        return answer.status_code, answer.data["mode"], answer.data["routed_by"]

    def test_usually_inline(self, api, plan, cluster):
        assert self.post(api, plan) == (201, "inline", "mode")

    def test_what_comes_on_top_of_the_inline_slots_is_queued(self, api, plan, cluster, monkeypatch):
        slots = [
            thread_shares.inline_slots().acquire(blocking=False)
            for _ in range(thread_shares.inline_slots().size)
        ]
        try:
            assert all(slots)
            assert self.post(api, plan) == (202, "queue", "bulkhead")
        finally:
            for _ in slots:
                thread_shares.inline_slots().release()

    @pytest.mark.parametrize(
        ("waiting", "running", "slots", "ago_seconds", "expected"),
        [
            ("pdf", ("pdf", "pdf"), 2, 1, (202, "queue", "order")),
            ("pdf", ("pdf", "export"), 2, 1, (202, "queue", "order")),
            # No worker will bring it to a slot in the next seconds.
            ("pdf", ("export", "export"), 2, 1, (201, "inline", "mode")),
            ("pdf", ("pdf", "pdf"), 2, 11, (201, "inline", "mode")),
            ("pdf", ("pdf", "pdf"), 3, 1, (201, "inline", "mode")),
            ("export", ("pdf", "pdf"), 2, 1, (201, "inline", "mode")),
        ],
    )
    def test_what_would_overtake_older_tasks_of_the_queue_is_queued(
        self, api, plan, settings, waiting, running, slots, ago_seconds, expected
    ):
        settings.SPMS_RENDER_SLOTS = slots
        worker = f"{storage.host()}:1:a"
        Cluster.objects.create(name=worker, workers=2)
        Task.objects.create(kind=waiting, fingerprint="waits", mode="queue")
        for number, kind in enumerate(running):
            Task.objects.create(
                kind=kind,
                fingerprint=f"runs {number}",
                mode="queue",
                status="running",
                worker=f"{worker}/{number}",
                started_at=timezone.now() - timedelta(seconds=ago_seconds),
            )
        assert self.post(api, plan) == expected

    @pytest.mark.parametrize(
        ("taken", "waiting", "expected"),
        [
            (0, 0, (201, "inline", "mode")),
            (0, 1, (202, "queue", "other_host")),
            (1, 0, (202, "queue", "other_host")),
        ],
    )
    def test_what_a_busy_machine_cannot_begin_at_once_is_offered_to_all_machines(
        self, api, plan, settings, taken, waiting, expected
    ):
        settings.SPMS_RENDER_SLOTS = 1
        for host in (storage.host(), "other"):
            Cluster.objects.create(name=f"{host}:1:a", workers=1)
        for number in range(waiting):
            Task.objects.create(kind="pdf", fingerprint=f"before {number}", mode="queue")
        with contextlib.ExitStack() as held:
            for _ in range(taken):
                held.enter_context(thread_shares.try_to_hold(thread_shares.inline_slots()))
            assert self.post(api, plan) == expected

    def test_without_workers_it_is_rendered_all_the_same(self, api, plan):
        slots = [
            thread_shares.inline_slots().acquire(blocking=False)
            for _ in range(thread_shares.inline_slots().size)
        ]
        try:
            assert self.post(api, plan) == (201, "inline", "mode")
        finally:
            for _ in slots:
                thread_shares.inline_slots().release()

    def test_beyond_its_share_of_the_threads_inline_is_refused_with_a_time_to_try_again(
        self, api, plan, settings
    ):
        settings.SPMS_WEB_THREADS = 4
        with thread_shares.try_to_hold(thread_shares.inline_share()):
            assert self.post(api, plan)[0] == 201
            with thread_shares.try_to_hold(thread_shares.inline_share()):
                answer = api.post(f"/api/v1/documents/{plan.pk}/pdf/?force=true")
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert answer.data["type"].endswith("server-busy")
        assert self.post(api, plan)[0] == 200

    def test_what_took_longer_than_the_deadline_goes_straight_to_the_queue(self, api, plan, cluster):
        Task.objects.create(
            kind="pdf", document=plan, fingerprint="before", status="succeeded", result={"seconds": 450.0}
        )
        assert self.post(api, plan) == (202, "queue", "estimate")

    def test_a_large_annual_report_is_queued_the_first_time_already(
        self, client_of, maintainer, cluster, settings
    ):
        settings.SPMS_INLINE_DEADLINE = 30.0
        report = factories.document(kind="annual_report")
        for _ in range(201):
            factories.document(kind="progress_report", status="approved")
        assert self.post(client_of(maintainer), report) == (202, "queue", "estimate")

    def test_in_queue_mode_without_workers_it_is_rendered_inline(self, api, plan, settings):
        settings.SPMS_MODE = "queue"
        flag.clear_cache()
        assert self.post(api, plan) == (201, "inline", "no_worker")

    def test_when_the_queue_is_long_free_slots_are_used(self, api, plan, cluster, owner, maintainer):
        ModeState.objects.create(mode="queue")
        flag.clear_cache()
        for number in range(100):
            Task.objects.create(kind="pdf", fingerprint=f"w{number}", mode="queue", hinted_at=timezone.now())
        assert self.post(api, plan) == (201, "inline", "spill")


def test_the_time_of_the_last_backup_is_there_once_one_was_made(client, settings, tmp_path):
    settings.SPMS_DATA_DIR = tmp_path
    assert "\nspms_last_backup_timestamp_seconds " not in scraped(client)
    create.create(tmp_path / "backups")
    [line] = re.findall(r"^spms_last_backup_timestamp_seconds (\S+)$", scraped(client), re.MULTILINE)
    assert abs(float(line) - time.time()) < 3600
