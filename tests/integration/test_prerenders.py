"""What becomes of a PDF that is made ahead of a request: found, joined, in nobody's way, counted apart, removed."""

import contextlib
import re
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.test import override_settings
from django.utils import timezone

from documents import exceptions
from documents.infrastructure import data_dir_lock, slot_queue, storage
from documents.models import Document, DrawnPart, Failure, Prerender, PrerenderState, Task
from documents.models.tasks import PRERENDER, PRERENDER_USED
from documents.operations import task_metrics
from documents.operations.prerenders import candidates
from documents.operations.prerenders.supervision import Prerenderer
from documents.queue import failure_groups, hints, leases, statistics
from documents.queue.registry import TaskOutput
from documents.queue.requests import TaskRequest
from documents.tasks import maintenance
from documents.tasks.pdf import annual_report, task as pdf_task
from metrics.dashboard import context
from tests import factories
from tests.asking import address
from tests.prerendering import ENOUGH_TIME, begin, change, make, outcomes, ticket_of_another_process
from tests.working import run_entries, turn

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("idle_host")]


def test_a_request_finds_the_pdf_that_was_made_ahead(api, changed_plan):
    task = make()
    assert (task.kind, task.routed_by, task.requested_by, task.mode) == ("pdf", PRERENDER, None, "queue")
    assert outcomes() == ["ready"]
    pressed = api.post(address(changed_plan))
    assert (pressed.status_code, pressed.data["task_id"]) == (200, str(task.pk))
    Prerenderer().settle()
    assert outcomes() == ["used"]
    assert PrerenderState.current().used == 1
    api.post(address(changed_plan))
    Prerenderer().settle()
    assert PrerenderState.current().used == 1
    assert begin() is None


def test_a_download_uses_it_as_well(api, changed_plan):
    make()
    sent = api.get(address(changed_plan))
    list(sent.streaming_content)
    Prerenderer().settle()
    assert (sent.status_code, outcomes()) == (200, ["used"])


def test_it_is_no_work_of_people(api, changed_plan, stranger, client_of):
    task = begin()
    assert (statistics.estimated_wait_seconds(), statistics.lag_seconds()) == (0.0, 0.0)
    assert api.get("/api/v1/tasks/").data["count"] == 0
    run_entries()
    api.post(address(changed_plan))
    figures = task_metrics.gauges()
    assert figures["spms_pdfs_last_24h"] == figures["spms_users_waited_last_24h"] == 0
    assert task_metrics.arrivals(0.0) == []
    assert not task_metrics.any_queued(0.0)
    assert task_metrics.pdfs_by_host(0.0) == {}
    assert statistics.counts_by_status()["succeeded"] == 0
    assert "PDFs rendered: 0 " in maintenance.summary()
    assert client_of(stranger).get(f"/api/v1/tasks/{task.pk}/").status_code == 404


def test_an_annual_report_is_bound_from_chapters_that_are_drawn_already(staff, owner):
    report = factories.document(kind="annual_report")
    texts = {"context": "<p>Seagrass.</p>"}
    for _ in range(annual_report.MIN_CHAPTERS):
        chapter = factories.document(owner, kind="progress_report", status="approved", sections=texts)
    given = {"status": "approved", "sections": {"context": "<p>Mangroves.</p>"}}
    staff.patch(f"/api/v1/documents/{chapter.pk}/", given, format="json")
    Document.objects.filter(pk=chapter.pk).update(updated_at=timezone.now() - ENOUGH_TIME)
    make()
    assert outcomes() == ["ready"]
    assert DrawnPart.objects.count() == annual_report.RENDER_BATCH
    assert report.tasks.count() == 0


def test_a_person_who_asks_while_it_waits_makes_it_theirs(api, owner, changed_plan):
    ahead = begin()
    pressed = api.post(address(changed_plan))
    task = Task.objects.get(pk=ahead.pk)
    assert (pressed.status_code, pressed.data["task_id"]) == (201, str(ahead.pk))
    assert (task.requested_by, task.routed_by, task.mode, task.status) == (
        owner,
        "mode",
        "inline",
        "succeeded",
    )
    assert task.created_at > ahead.created_at
    assert (outcomes(), task_metrics.gauges()["spms_pdfs_last_24h"]) == (["used"], 1)
    run_entries()
    assert Task.objects.count() == 1


def test_a_person_who_asks_while_it_runs_makes_it_theirs(monkeypatch, api, owner, changed_plan, settings):
    def adopt_and_render(attempt):
        attempt.report("layout", 1)
        asked = api.post(address(changed_plan), headers={"Prefer": "respond-async"})
        assert (asked.status_code, asked.data["task_id"]) == (202, str(attempt.task.pk))
        with ticket_of_another_process():  # it does not give way any more
            attempt.report("layout", 2)
            return TaskOutput(fingerprint=attempt.task.fingerprint)

    monkeypatch.setattr(pdf_task, "render", adopt_and_render)
    task = make()
    task.refresh_from_db()
    assert (task.status, task.requested_by, task.routed_by) == ("succeeded", owner, "client")
    assert task.started_at == task.created_at
    assert outcomes() == ["used"]


def test_an_error_after_it_was_adopted_is_that_of_the_person(monkeypatch, api, changed_plan):
    def fail(attempt):
        api.post(address(changed_plan), headers={"Prefer": "respond-async"})
        raise exceptions.DocumentUnrenderable("It cannot be laid out.")

    monkeypatch.setattr(pdf_task, "render", fail)
    task = make()
    task.refresh_from_db()
    assert (task.status, task.error["detail"]) == ("failed", "It cannot be laid out.")


def _change_the_document(api, document, owner):
    change(api, document, "second")


def _make_a_task_due(api, document, owner):
    hints.submit_in_background(TaskRequest(kind="cleanup", fingerprint="due"), user=owner)


def _take_the_slots(api, document, owner):
    return ticket_of_another_process(slot_queue.WAITING)


@pytest.mark.parametrize("happen", [_change_the_document, _make_a_task_due, _take_the_slots])
def test_it_gives_way_and_leaves_no_task(monkeypatch, api, changed_plan, owner, happen):
    def give_way(attempt):
        attempt.report("layout", 1)
        with happen(api, changed_plan, owner) or contextlib.nullcontext():
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                attempt.report("layout", 2)
        raise AssertionError

    monkeypatch.setattr(pdf_task, "render", give_way)
    task = make()
    assert not Task.objects.filter(pk=task.pk).exists()
    assert (outcomes(), PrerenderState.current().cancelled) == (["cancelled"], 1)
    assert PrerenderState.current().wasted_seconds > 0


def _take_a_slot():
    return ticket_of_another_process()


def _back_up():
    return data_dir_lock.backup_lock(Path(settings.SPMS_DATA_DIR))


def _compute():
    return override_settings(SPMS_PRERENDER_MAX_LOAD=-1)  # so that even an idle machine is busy


@contextlib.contextmanager
def _make_another():
    other = Task.objects.create(kind="pdf", fingerprint="other", mode="queue", routed_by=PRERENDER)
    leases.claim(other.pk, f"{storage.host()}:1:a/7")
    yield
    other.delete()


@pytest.mark.parametrize("keep_busy", [_take_a_slot, _back_up, _compute, _make_another])
def test_a_worker_whose_host_is_busy_hands_it_back(changed_plan, keep_busy):
    task = begin()
    with keep_busy():
        run_entries()
    task.refresh_from_db()
    assert (task.status, task.attempts, outcomes()) == ("queued", 0, ["running"])
    Task.objects.update(claimable_at=timezone.now() - timedelta(seconds=1))
    turn()
    task.refresh_from_db()
    assert (task.status, outcomes()) == ("succeeded", ["ready"])


def test_a_person_who_asks_at_the_moment_when_it_gives_way_gets_the_pdf(
    monkeypatch, api, owner, changed_plan
):
    renders = []

    def interrupt_and_adopt(attempt):
        renders.append(attempt.task.routed_by)
        if len(renders) == 1:
            with ticket_of_another_process(), contextlib.ExitStack() as last:
                last.callback(api.post, address(changed_plan), headers={"Prefer": "respond-async"})
                attempt.report("layout", 1)
        return TaskOutput(fingerprint=attempt.task.fingerprint)

    monkeypatch.setattr(pdf_task, "render", interrupt_and_adopt)
    task = make()
    task.refresh_from_db()
    assert renders == [PRERENDER, "client"]
    assert (task.status, task.requested_by, outcomes()) == ("succeeded", owner, ["used"])


def test_one_that_gave_way_is_begun_again_some_times(changed_plan, monkeypatch):
    def fail(attempt):
        with ticket_of_another_process():
            attempt.report("layout", 1)

    monkeypatch.setattr(pdf_task, "render", fail)
    begun = 0
    for _ in range(candidates.MAX_ATTEMPTS + 2):
        begun += make() is not None
        assert begin() is None  # not at once
        Prerender.objects.update(changed_at=timezone.now() - ENOUGH_TIME)
    assert begun == candidates.MAX_ATTEMPTS


@pytest.mark.parametrize("error", [exceptions.DocumentUnrenderable("No."), ZeroDivisionError()])
def test_a_version_that_cannot_be_made_is_tried_once_and_nobody_is_told(
    monkeypatch, api, changed_plan, settings, error, maintainer
):
    def fail(attempt):
        raise error

    settings.SPMS_ALERT_MAIL = ["maintainer@example.org"]
    monkeypatch.setattr(pdf_task, "render", fail)
    make()
    assert (outcomes(), Task.objects.count()) == (["failed"], 0)
    assert not Failure.objects.exists()
    assert failure_groups.recent_groups() == []
    Prerender.objects.update(changed_at=timezone.now() - ENOUGH_TIME)
    assert begin() is None
    change(api, changed_plan, "another version")
    assert begin() is not None


def test_a_worker_that_dies_is_a_failure_of_that_version(changed_plan):
    task = begin()
    leases.claim(task.pk, "host:1:a/7")
    Task.objects.filter(pk=task.pk).update(lease_until=timezone.now() - ENOUGH_TIME)
    leases.requeue_expired()
    Prerenderer().settle()
    assert (outcomes(), Task.objects.count()) == (["failed"], 0)
    assert begin() is None


def test_a_worker_that_takes_it_after_another_died_does_not_try_again(changed_plan):
    task = begin()
    Task.objects.filter(pk=task.pk).update(attempts=1)
    run_entries()
    assert (outcomes(), Task.objects.count()) == (["failed"], 0)


def test_one_that_a_worker_of_an_earlier_version_made_is_ready(api, changed_plan):
    task = make()
    Prerender.objects.update(outcome="running")
    Prerenderer().settle()
    assert outcomes() == ["ready"]
    assert api.post(address(changed_plan)).data["task_id"] == str(task.pk)


def test_one_that_no_worker_takes_is_dropped(changed_plan):
    begin()
    Prerender.objects.update(begun_at=timezone.now() - ENOUGH_TIME)
    Prerenderer().settle()
    assert (outcomes(), Task.objects.count()) == (["cancelled"], 0)


def test_an_outdated_pdf_that_nobody_had_is_removed(api, changed_plan):
    first = make()
    first.refresh_from_db()
    Prerenderer().settle()
    assert storage.exists(first.file)
    change(api, changed_plan, "second")
    Prerenderer().settle()
    assert (outcomes(), Task.objects.count()) == (["unused"], 0)
    assert not storage.exists(first.file)
    assert PrerenderState.current().wasted_seconds > 0


def test_a_used_one_is_kept_like_any_other(api, changed_plan):
    used = make()
    api.post(address(changed_plan))
    change(api, changed_plan, "second")
    Prerenderer().settle()
    used.refresh_from_db()
    assert used.routed_by == PRERENDER_USED
    Task.objects.update(finished_at=timezone.now() - timedelta(days=400))
    maintenance.remove_rows()
    assert Task.objects.filter(pk=used.pk).exists()


def test_unused_ones_go_first_and_protect_no_other_from_staying(owner, changed_plan):
    asked = Task.objects.create(
        kind="pdf",
        document=changed_plan,
        status="succeeded",
        fingerprint="asked",
        finished_at=timezone.now() - timedelta(days=400),
    )
    make()
    Prerender.objects.update(changed_at=timezone.now() - timedelta(days=8))
    maintenance.remove_rows()
    Prerenderer().settle()
    assert list(Task.objects.all()) == [asked]


def test_the_maintainer_sees_what_it_brings_and_costs(api, changed_plan, owner, staff_pages):
    make()
    api.post(address(changed_plan))
    other = change(api, factories.document(owner), "second")
    api.post(address(factories.document(owner)))
    make()
    change(api, other, "third")
    Prerenderer().settle()
    text = staff_pages.get("/metrics").content.decode()
    assert 'spms_prerenders_total{outcome="used"} 1.0' in text
    assert 'spms_prerenders_total{outcome="unused"} 1.0' in text
    assert "spms_prerender_wasted_seconds_total" in text
    summary = maintenance.summary()
    assert "PDFs made ahead: 1 used, 1 not used, 0 gave way, 0 failed" in summary
    assert "Requests that found their PDF ready: 50%" in summary
    page = staff_pages.get("/dashboard/").content.decode()
    figures = dict(re.findall(r"<dt>(.+?)</dt><dd>(.+?)</dd>", page))
    assert (figures["Used"], figures["Not used"], figures["Failed"]) == ("1", "1", "0")
    assert figures["Requests that found their PDF"] == "50 %"
    PrerenderState.stop(timezone.now())
    context.clear_caches()
    assert "so none is made until" in staff_pages.get("/dashboard/").content.decode()


def test_a_row_without_its_task_is_settled(changed_plan):
    begin().delete()
    Prerender.objects.update(begun_at=timezone.now() - ENOUGH_TIME)
    Prerenderer().settle()
    assert outcomes() == ["failed"]
