"""Scheduled work: the nightly removal and the weekly summary."""

import os
import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import OrmQ, Schedule

from documents.infrastructure import storage
from documents.models import PeriodicTask, Task
from documents.operations import cron, periodic
from documents.queue import hints, lifecycle
from documents.tasks import maintenance
from tests import factories

pytestmark = pytest.mark.django_db

LONG_AGO = timedelta(days=200)
PERTH = ZoneInfo("Australia/Perth")
OLDER_ENTRY = "documents.queue.begin_scheduled"


def kept_file(age=LONG_AGO, files=None):
    files = files or storage.results()
    name = files.save("2026/11/x.pdf", ContentFile(b"%PDF"))
    then = time.time() - age.total_seconds()
    os.utime(files.path(name), (then, then))
    return name


def ended(owner, age, **values):
    defaults = {"kind": "pdf", "fingerprint": "f", "status": "succeeded", "file": kept_file()}
    return Task.objects.create(requested_by=owner, finished_at=timezone.now() - age, **(defaults | values))


def run(kind):
    hints.begin_scheduled(kind)
    task = Task.objects.get(kind=kind)
    lifecycle.run(task.pk, deadline=time.monotonic() + 600)
    task.refresh_from_db()
    return task


def test_old_tasks_go_with_their_files_but_the_newest_pdf_of_a_document_stays(owner, plan):
    oldest = ended(owner, LONG_AGO * 2, document=plan)
    newest = ended(owner, LONG_AGO, document=plan)
    failed = ended(owner, LONG_AGO, document=plan, status="failed", file="")
    recent = ended(owner, timedelta(days=1), document=factories.document(owner))
    waiting = Task.objects.create(kind="pdf", fingerprint="w", status="queued", document=plan)
    task = run("cleanup")
    assert (task.status, task.result["rows"]) == ("succeeded", 2)
    assert set(Task.objects.exclude(pk=task.pk)) == {newest, recent, waiting}
    assert not storage.exists(oldest.file)
    assert storage.exists(newest.file)
    assert failed.pk not in Task.objects.values_list("pk", flat=True)


def test_what_no_row_names_goes_unless_it_is_being_written(owner, plan):
    image = factories.image(plan)
    stray, fresh = kept_file(), kept_file(timedelta(minutes=5))
    stray_image = kept_file(files=default_storage)
    os.utime(image.file.path, (0, 0))
    run("cleanup")
    assert (storage.exists(stray), storage.exists(fresh)) == (False, True)
    assert not default_storage.exists(stray_image)
    assert default_storage.exists(str(image.file.name))


def test_pdfs_of_a_deleted_document_go_at_the_next_night(owner, plan):
    task = ended(owner, timedelta(minutes=1), document=plan)
    plan.delete()
    run("cleanup")
    assert not Task.objects.filter(pk=task.pk).exists()
    assert not storage.exists(task.file)


def test_the_summary_counts_the_week_and_goes_to_staff_with_an_address(owner, maintainer, mailoutbox):
    factories.user("silent", is_staff=True, email="")
    for seconds in range(1, 21):
        ended(owner, timedelta(days=1), result={"seconds": float(seconds)}, mode="queue")
    ended(owner, timedelta(days=1), status="failed")
    ended(owner, timedelta(days=9), result={"seconds": 99.0})
    assert run("summary").status == "succeeded"
    [mail] = mailoutbox
    assert mail.recipients() == [maintainer.email]
    assert "PDFs rendered: 20 (0 inline, 20 through the queue)" in mail.body
    assert "Failed: 1" in mail.body
    assert "p95: 19.0 s" in mail.body


def test_a_week_without_work_has_a_summary_too():
    assert "none rendered" in maintenance.summary()


def test_a_schedule_begins_one_task_at_a_time():
    hints.begin_scheduled("cleanup")
    hints.begin_scheduled("cleanup")
    assert (Task.objects.count(), OrmQ.objects.count()) == (1, 1)


def test_schedules_are_made_once_and_then_left_alone():
    periodic.ensure_schedules()
    PeriodicTask.objects.filter(kind="cleanup").update(cron="0 3 * * SUN", next_run_at=None)
    periodic.ensure_schedules()
    assert PeriodicTask.objects.count() == 2
    cleanup = PeriodicTask.objects.get(kind="cleanup")
    assert (cleanup.cron, cleanup.next_run_at) == ("0 3 * * SUN", None)


@pytest.mark.parametrize(
    ("kind", "now", "expected"),
    [
        ("cleanup", "2026-11-23 01:59", "2026-11-23 02:00"),
        ("cleanup", "2026-11-23 02:00", "2026-11-24 02:00"),
        ("cleanup", "2026-12-31 03:00", "2027-01-01 02:00"),
        ("summary", "2026-11-23 08:00", "2026-11-30 07:00"),
    ],
)
def test_maintenance_runs_at_night_and_on_mondays_in_local_time(kind, now, expected):
    before, after = (datetime.fromisoformat(text).replace(tzinfo=PERTH) for text in (now, expected))
    assert cron.next_after(periodic.DEFAULT_CRON[kind], before) == after


def test_maintenance_that_is_due_is_begun_once_however_often_it_was_missed():
    periodic.ensure_schedules()
    PeriodicTask.objects.filter(kind="cleanup").update(next_run_at=timezone.now() - timedelta(days=10))
    for _ in range(2):
        periodic.enqueue_due()
    assert list(Task.objects.values_list("kind", flat=True)) == ["cleanup"]
    assert PeriodicTask.objects.get(kind="cleanup", next_run_at__gt=timezone.now())


def test_maintenance_that_is_paused_is_not_begun():
    periodic.ensure_schedules()
    PeriodicTask.objects.update(next_run_at=None)
    periodic.enqueue_due()
    assert not Task.objects.exists()


@pytest.mark.parametrize(
    ("period", "expression"),
    [(Schedule.DAILY, "30 5 * * *"), (Schedule.WEEKLY, "30 5 * * 0"), (Schedule.MONTHLY, "30 5 29 * *")],
)
def test_a_schedule_of_an_older_version_keeps_its_times_and_leaves_django_q(period, expression):
    at = datetime(2026, 11, 29, 5, 30, tzinfo=timezone.get_default_timezone())
    for _ in range(2):  # older clusters may have started at the same moment
        Schedule.objects.create(name="cleanup", func=OLDER_ENTRY, schedule_type=period, next_run=at)
    periodic.ensure_schedules()
    cleanup = PeriodicTask.objects.get(kind="cleanup")
    assert (cleanup.cron, cleanup.next_run_at) == (expression, at)
    assert not Schedule.objects.exists()


def test_a_period_that_cron_cannot_say_becomes_the_default():
    Schedule.objects.create(name="cleanup", func=OLDER_ENTRY, schedule_type=Schedule.HOURLY)
    periodic.ensure_schedules()
    assert PeriodicTask.objects.get(kind="cleanup").cron == periodic.DEFAULT_CRON["cleanup"]
    assert not Schedule.objects.exists()


def test_an_entry_of_an_older_version_begins_the_task():
    import_string(OLDER_ENTRY)("cleanup")
    assert Task.objects.filter(kind="cleanup").count() == 1


def test_expired_sessions_and_old_failed_sign_ins_are_removed():
    now = timezone.now()
    for key, left in (("expired", -timedelta(minutes=1)), ("valid", timedelta(days=1))):
        Session.objects.create(session_key=key, session_data="", expire_date=now + left)
    for name, age in (("old", timedelta(days=8)), ("new", timedelta(days=6))):
        attempt = AccessAttempt.objects.create(username=name, failures_since_start=3)
        AccessAttempt.objects.filter(pk=attempt.pk).update(attempt_time=now - age)
    assert maintenance.remove_sign_ins() == 2
    assert [session.session_key for session in Session.objects.all()] == ["valid"]
    assert [attempt.username for attempt in AccessAttempt.objects.all()] == ["new"]
