"""PDFs made ahead of a request: begun in idle time only, joined, counted apart, and removed when nobody asks."""

import contextlib
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from documents import exceptions
from documents.infrastructure import data_dir_lock, slot_queue, storage
from documents.models import Cluster, Document, DrawnPart, Failure, Prerender, PrerenderState, Task
from documents.models.tasks import PRERENDER, PRERENDER_USED
from documents.operations import task_metrics
from documents.operations.prerenders import candidates, conditions
from documents.operations.prerenders.supervision import Prerenderer
from documents.queue import failure_groups, hints, leases, statistics, turns
from documents.queue.registry import TaskOutput
from documents.queue.requests import TaskRequest
from documents.tasks import maintenance
from documents.tasks.pdf import annual_report, task as pdf_task
from metrics import flag
from metrics.dashboard import context
from tests import factories
from tests.asking import address
from tests.working import run_entries

pytestmark = pytest.mark.django_db(transaction=True)
OTHER_PROCESS = 1
ENOUGH_TIME = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def idle(settings, cluster):
    """Workers that wait for work, and a machine on which it does not matter who else computes."""
    settings.SPMS_MODE = "auto"
    settings.SPMS_PRERENDER_MAX_LOAD = 100
    settings.SPMS_RENDER_SLOTS = 2


@pytest.fixture
def changed(api, plan):
    """The plan after its author changed it and left it alone."""
    return change(api, plan, "first")


def change(api, document, text, ago=ENOUGH_TIME):
    assert api.patch(
        f"/api/v1/documents/{document.pk}/", {"sections": {"aims": f"<p>{text}</p>"}}, "json"
    ).data
    Document.objects.filter(pk=document.pk).update(updated_at=timezone.now() - ago)
    return Document.objects.get(pk=document.pk)


def begin():
    """Let a supervisor look for a document, and return the task that it began."""
    prerenderer = Prerenderer()
    for _ in range(2):  # the first look measures how busy the machine is
        prerenderer.begin_next()
    return Task.objects.ahead().in_flight().first()


def make():
    """Begin the next PDF and make it as a worker does."""
    task = begin()
    run_entries()
    return task


def outcomes():
    return list(Prerender.objects.order_by("pk").values_list("outcome", flat=True))


@contextlib.contextmanager
def ticket_of_another_process(state=slot_queue.HOLDING):
    """Hold a render slot, or wait for one, as another process that lives."""
    folder = storage.run_folder() / slot_queue.RENDER_SLOTS
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{state}{time.monotonic_ns():020d}-{OTHER_PROCESS}-0"
    os.mkfifo(path)
    pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        yield
    finally:
        os.close(pipe)
        path.unlink(missing_ok=True)


def test_a_request_finds_the_pdf_that_was_made_ahead(api, changed):
    task = make()
    assert (task.kind, task.routed_by, task.requested_by, task.mode) == ("pdf", PRERENDER, None, "queue")
    assert outcomes() == ["ready"]
    pressed = api.post(address(changed))
    assert (pressed.status_code, pressed.data["task_id"]) == (200, str(task.pk))
    assert outcomes() == ["used"]
    assert PrerenderState.current().used == 1
    api.post(address(changed))
    assert PrerenderState.current().used == 1
    assert begin() is None


def test_a_download_uses_it_as_well(api, changed):
    make()
    sent = api.get(address(changed))
    list(sent.streaming_content)
    assert (sent.status_code, outcomes()) == (200, ["used"])


def test_it_is_no_work_of_people(api, changed, stranger, client_of):
    task = begin()
    assert (statistics.estimated_wait_seconds(), statistics.lag_seconds()) == (0.0, 0.0)
    assert api.get("/api/v1/tasks/").data["count"] == 0
    run_entries()
    api.post(address(changed))
    figures = task_metrics.gauges()
    assert figures["spms_pdfs_last_24h"] == figures["spms_users_waited_last_24h"] == 0
    assert task_metrics.arrivals(0.0) == []
    assert not task_metrics.any_queued(0.0)
    assert task_metrics.pdfs_by_host(0.0) == {}
    assert statistics.counts_by_status()["succeeded"] == 0
    assert "PDFs rendered: 0 " in maintenance.summary()
    assert client_of(stranger).get(f"/api/v1/tasks/{task.pk}/").status_code == 404


@pytest.mark.parametrize("ago", [timedelta(seconds=1), timedelta(days=2), timedelta(days=-400)])
def test_only_a_recent_change_that_was_left_alone_counts(api, plan, ago):
    change(api, plan, "first", ago)
    assert begin() is None


def test_a_document_that_nobody_changed_is_not_made(plan):
    Document.objects.update(updated_at=timezone.now() - ENOUGH_TIME)
    assert begin() is None


def test_a_version_that_has_its_pdf_is_not_made(api, changed):
    assert api.post(address(changed)).status_code == 201
    assert begin() is None
    assert outcomes() == ["needless"]


def _pause(owner):
    hints.pause(by="maintainer", reason="test")


def _wait_for_a_worker(owner):
    hints.submit_in_background(TaskRequest(kind="pdf", fingerprint="asked"), user=owner)


def _stop_workers(owner):
    Cluster.objects.all().delete()


def _render_elsewhere(owner):
    return ticket_of_another_process()


def _back_up(owner):
    from django.conf import settings

    return data_dir_lock.backup_lock(Path(settings.SPMS_DATA_DIR))


def _override(mode):
    def override(owner):
        flag.override(mode, by="m", reason="test", until=timezone.now() + timedelta(hours=1))

    return override


@pytest.mark.parametrize(
    ("happen", "obstacle"),
    [
        (_override("queue"), "the mode"),
        (_override("inline"), "the mode"),
        (_render_elsewhere, "slots"),
        (_stop_workers, "no worker"),
        (_pause, "no worker"),
        (_wait_for_a_worker, "a task is due"),
        (_back_up, "a backup"),
    ],
)
def test_it_costs_nobody_anything(changed, owner, happen, obstacle):
    assert conditions.find_obstacle(0.0) == ""
    with happen(owner) or contextlib.nullcontext():
        assert obstacle in conditions.find_obstacle(0.0)
        assert begin() is None
    assert outcomes() == []


def test_it_waits_while_the_cores_are_busy(settings):
    settings.SPMS_PRERENDER_MAX_LOAD = 50
    assert conditions.find_obstacle(50.0) == ""
    assert "busy" in conditions.find_obstacle(50.1)


def test_it_is_off_when_the_setting_says_so(settings, changed):
    settings.SPMS_PRERENDER_AFTER = None
    assert begin() is None


def test_each_worker_host_makes_one_at_a_time(api, owner, changed):
    change(api, factories.document(owner), "second")
    task = begin()
    leases.claim(task.pk, "host:1:a/7")
    assert "each worker host" in conditions.find_obstacle(0.0)
    Cluster.objects.create(name="other:1:a", workers=1)
    assert conditions.find_obstacle(0.0) == ""


def test_a_day_has_a_bound_however_many_documents_are_imported(settings, owner):
    settings.SPMS_PRERENDER_MAX_PER_DAY = 3
    project = factories.project(owner)
    moment = timezone.now() - ENOUGH_TIME
    Document.objects.bulk_create(
        Document(project=project, kind="progress_report", year=year, version=2) for year in range(1980, 2100)
    )
    Document.objects.update(updated_at=moment)
    for _ in range(5):
        if (task := begin()) is not None:
            Task.objects.filter(pk=task.pk).update(status="succeeded", finished_at=timezone.now())
    assert Task.objects.ahead().count() == 3
    assert "as a day may have" in conditions.find_obstacle(0.0)
    # Rows of a clock that was set back do not count for ever.
    Prerender.objects.update(begun_at=timezone.now() + timedelta(days=400))
    assert conditions.find_obstacle(0.0) == ""


def test_documents_of_more_interest_go_first(api, owner):
    plain, rendered, reviewed = (factories.document(owner) for _ in range(3))
    Task.objects.create(kind="pdf", document=rendered, status="succeeded", fingerprint="old")
    for number, document in enumerate((reviewed, rendered, plain)):
        change(api, document, "text", ENOUGH_TIME - timedelta(seconds=number))
    Document.objects.filter(pk=reviewed.pk).update(status="in_review")
    assert [document.pk for document in candidates.ranked()] == [reviewed.pk, rendered.pk, plain.pk]


def test_a_long_document_is_not_made_as_a_whole(api, changed):
    Task.objects.create(
        kind="pdf",
        document=changed,
        status="succeeded",
        fingerprint="old",
        finished_at=timezone.now(),
        result={"pages": 400, "seconds": 1.0},
    )
    assert begin() is None
    assert outcomes() == ["needless"]


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


def test_it_comes_after_everything_else(changed, owner):
    task = begin()
    low = hints.submit_in_background(TaskRequest(kind="cleanup", fingerprint="c"), user=owner)[0]
    asked = hints.submit_in_background(TaskRequest(kind="pdf", fingerprint="asked"), user=owner)[0]
    assert turns.in_order(Task.objects.waiting()) == [asked.pk, low.pk, task.pk]


def test_a_person_who_asks_while_it_waits_makes_it_theirs(api, owner, changed):
    ahead = begin()
    pressed = api.post(address(changed))
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


def test_a_person_who_asks_while_it_runs_makes_it_theirs(monkeypatch, api, owner, changed, settings):
    def adopt_and_render(attempt):
        attempt.report("layout", 1)
        asked = api.post(address(changed), headers={"Prefer": "respond-async"})
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


def test_an_error_after_it_was_adopted_is_that_of_the_person(monkeypatch, api, changed):
    def fail(attempt):
        api.post(address(changed), headers={"Prefer": "respond-async"})
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
def test_it_gives_way_and_leaves_no_task(monkeypatch, api, changed, owner, happen):
    def give_way(attempt):
        attempt.report("layout", 1)
        with happen(api, changed, owner) or contextlib.nullcontext():
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                attempt.report("layout", 2)
        raise AssertionError

    monkeypatch.setattr(pdf_task, "render", give_way)
    task = make()
    assert not Task.objects.filter(pk=task.pk).exists()
    assert (outcomes(), PrerenderState.current().cancelled) == (["cancelled"], 1)
    assert PrerenderState.current().wasted_seconds > 0


def test_one_that_gave_way_is_begun_again_some_times(changed, monkeypatch):
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
    monkeypatch, api, changed, settings, error, maintainer
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
    change(api, changed, "another version")
    assert begin() is not None


def test_a_worker_that_dies_is_a_failure_of_that_version(changed):
    task = begin()
    leases.claim(task.pk, "host:1:a/7")
    Task.objects.filter(pk=task.pk).update(lease_until=timezone.now() - ENOUGH_TIME)
    leases.requeue_expired()
    Prerenderer().settle()
    assert (outcomes(), Task.objects.count()) == (["failed"], 0)
    assert begin() is None


def test_a_worker_that_takes_it_after_another_died_does_not_try_again(changed):
    task = begin()
    Task.objects.filter(pk=task.pk).update(attempts=1)
    run_entries()
    assert (outcomes(), Task.objects.count()) == (["failed"], 0)


def test_one_that_a_worker_of_an_earlier_version_made_is_ready(api, changed):
    task = make()
    Prerender.objects.update(outcome="running")
    Prerenderer().settle()
    assert outcomes() == ["ready"]
    assert api.post(address(changed)).data["task_id"] == str(task.pk)


def test_one_that_no_worker_takes_is_dropped(changed):
    begin()
    Prerender.objects.update(begun_at=timezone.now() - ENOUGH_TIME)
    Prerenderer().settle()
    assert (outcomes(), Task.objects.count()) == (["cancelled"], 0)


def test_an_outdated_pdf_that_nobody_had_is_removed(api, changed):
    first = make()
    first.refresh_from_db()
    Prerenderer().settle()
    assert storage.exists(first.file)
    change(api, changed, "second")
    Prerenderer().settle()
    assert (outcomes(), Task.objects.count()) == (["unused"], 0)
    assert not storage.exists(first.file)
    assert PrerenderState.current().wasted_seconds > 0


def test_a_used_one_is_kept_like_any_other(api, changed):
    used = make()
    api.post(address(changed))
    change(api, changed, "second")
    Prerenderer().settle()
    used.refresh_from_db()
    assert used.routed_by == PRERENDER_USED
    Task.objects.update(finished_at=timezone.now() - timedelta(days=400))
    maintenance.remove_rows()
    assert Task.objects.filter(pk=used.pk).exists()


def test_unused_ones_go_first_and_protect_no_other_from_staying(owner, changed):
    asked = Task.objects.create(
        kind="pdf",
        document=changed,
        status="succeeded",
        fingerprint="asked",
        finished_at=timezone.now() - timedelta(days=400),
    )
    make()
    Prerender.objects.update(changed_at=timezone.now() - timedelta(days=8))
    maintenance.remove_rows()
    Prerenderer().settle()
    assert list(Task.objects.all()) == [asked]


def judged(owner, used, unused):
    project = factories.project(owner)
    now, outcome = timezone.now(), Prerender.Outcome
    documents = Document.objects.bulk_create(
        Document(project=project, kind="progress_report", year=1980 + number)
        for number in range(used + unused)
    )
    Prerender.objects.bulk_create(
        Prerender(
            document=document,
            version=1,
            outcome=outcome.USED if number < used else outcome.UNUSED,
            changed_at=now,
            begun_at=now - timedelta(days=3),
        )
        for number, document in enumerate(documents)
    )


@pytest.mark.parametrize(("used", "unused", "is_stopped"), [(9, 91, True), (10, 90, False), (0, 99, False)])
def test_it_stops_while_fewer_than_one_in_ten_is_used(changed, owner, used, unused, is_stopped):
    PrerenderState.objects.create(pk=1, counted_from=timezone.now() - timedelta(days=1))
    judged(owner, used, unused)
    assert ("too few" in conditions.find_obstacle(0.0)) == is_stopped
    assert (PrerenderState.current().stopped_at is not None) == is_stopped


@pytest.mark.parametrize("stopped_ago", [timedelta(hours=25), timedelta(days=-400)])
def test_it_begins_again_a_day_later_also_when_a_clock_was_set_back(owner, stopped_ago):
    judged(owner, 0, 100)
    PrerenderState.objects.create(
        pk=1, counted_from=timezone.now() - timedelta(days=2), stopped_at=timezone.now() - stopped_ago
    )
    assert conditions.find_obstacle(0.0) == ""
    assert conditions.find_obstacle(0.0) == ""  # judged by those that follow


def test_the_maintainer_sees_what_it_brings_and_costs(api, changed, owner, staff_pages):
    make()
    api.post(address(changed))
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
    assert "1 used, 1 not used" in page
    assert "50 % of the requests" in page
    PrerenderState.stop(timezone.now())
    context.clear_caches()
    assert "so none is made until" in staff_pages.get("/dashboard/").content.decode()


def test_a_fault_does_not_end_the_supervisor(monkeypatch, changed, caplog):
    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(pdf_task, "request_for", fail)
    begin()
    assert "pre-rendering failed" in caplog.text
    assert outcomes() == ["failed"]


def test_a_row_without_its_task_is_settled(changed):
    begin().delete()
    Prerender.objects.update(begun_at=timezone.now() - ENOUGH_TIME)
    Prerenderer().settle()
    assert outcomes() == ["failed"]
