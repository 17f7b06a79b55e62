"""When a PDF is made ahead of a request, and of which document: in idle time only, and not without end."""

import contextlib
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from documents.infrastructure import data_dir_lock
from documents.models import Cluster, Document, Prerender, PrerenderState, Task
from documents.operations.prerenders import candidates, conditions
from documents.queue import hints, leases, turns
from documents.queue.requests import TaskRequest
from documents.tasks.pdf import task as pdf_task
from metrics import flag
from tests import factories
from tests.asking import address
from tests.prerendering import ENOUGH_TIME, begin, change, outcomes, ticket_of_another_process

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("idle_host")]


@pytest.mark.parametrize("ago", [timedelta(seconds=1), timedelta(days=2), timedelta(days=-400)])
def test_only_a_recent_change_that_was_left_alone_counts(api, plan, ago):
    change(api, plan, "first", ago)
    assert begin() is None


def test_a_document_that_nobody_changed_is_not_made(plan):
    Document.objects.update(updated_at=timezone.now() - ENOUGH_TIME)
    assert begin() is None


def test_a_version_that_has_its_pdf_is_not_made(api, changed_plan):
    assert api.post(address(changed_plan)).status_code == 201
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
def test_it_costs_nobody_anything(changed_plan, owner, happen, obstacle):
    assert conditions.find_obstacle(0.0) == ""
    with happen(owner) or contextlib.nullcontext():
        assert obstacle in conditions.find_obstacle(0.0)
        assert begin() is None
    assert outcomes() == []


def test_it_waits_while_the_cores_are_busy(settings):
    settings.SPMS_PRERENDER_MAX_LOAD = 50
    assert conditions.find_obstacle(50.0) == ""
    assert "busy" in conditions.find_obstacle(50.1)


def test_it_is_off_when_the_setting_says_so(settings, changed_plan):
    settings.SPMS_PRERENDER_AFTER = None
    assert begin() is None


def test_each_worker_host_makes_one_at_a_time(api, owner, changed_plan):
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


def test_a_long_document_is_not_made_as_a_whole(api, changed_plan):
    Task.objects.create(
        kind="pdf",
        document=changed_plan,
        status="succeeded",
        fingerprint="old",
        finished_at=timezone.now(),
        result={"pages": 400, "seconds": 1.0},
    )
    assert begin() is None
    assert outcomes() == ["needless"]


def test_it_comes_after_everything_else(changed_plan, owner):
    task = begin()
    low = hints.submit_in_background(TaskRequest(kind="cleanup", fingerprint="c"), user=owner)[0]
    asked = hints.submit_in_background(TaskRequest(kind="pdf", fingerprint="asked"), user=owner)[0]
    assert turns.Line(Task.objects.waiting()).task_ids() == [asked.pk, low.pk, task.pk]


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
def test_it_stops_while_fewer_than_one_in_ten_is_used(changed_plan, owner, used, unused, is_stopped):
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


def test_a_fault_does_not_end_the_supervisor(monkeypatch, changed_plan, caplog):
    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(pdf_task, "request_for", fail)
    begin()
    assert "pre-rendering failed" in caplog.text
    assert outcomes() == ["failed"]
