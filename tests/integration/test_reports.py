"""Scheduled reports: begun once when their time comes, with the rights of their owner, and mailed with their file."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from django.utils import timezone

from documents.models import Delivery, ScheduledReport, Task
from documents.operations import scheduled_reports
from documents.tasks.notifications import task as notification_task
from tests import factories
from tests.working import run_entries

pytestmark = pytest.mark.django_db(transaction=True)
EXPORT = {"what": "documents", "format": "csv", "filters": {"year": "2026"}}
URL = "/api/v1/reports/"


def schedule(staff, **values):
    asked = {"name": "Plans", "kind": "export", "arguments": EXPORT, "cron": "0 7 * * MON"}
    return staff.post(URL, asked | {"receivers": ["board@example.org"]} | values)


def due(report_id, ago=timedelta(seconds=1)):
    ScheduledReport.objects.filter(pk=report_id).update(next_run_at=timezone.now() - ago)


def work():
    """Do what workers and their supervisor do until nothing is left."""
    for _ in range(3):
        scheduled_reports.enqueue_due()
        notification_task.enqueue_due()
        run_entries()


def test_a_report_is_made_when_it_is_due_and_mailed_with_its_file(staff, plan, cluster):
    answer = schedule(staff, receivers=["board@example.org", "chief@example.org"])
    assert (answer.status_code, answer.data["owner"]) == (201, "maintainer")
    due(answer.data["id"])
    work()
    assert sorted(letter.to[0] for letter in mail.outbox) == ["board@example.org", "chief@example.org"]
    [part] = mail.outbox[0].attachments
    assert (part.get_filename().endswith(".csv"), part.get_content_type()) == (True, "text/csv")
    assert plan.project.tag.encode() in part.get_payload(decode=True)
    report = ScheduledReport.objects.get(next_run_at__gt=timezone.now())
    assert report.last_task == Task.objects.get(kind="export", status="succeeded")


def test_the_pdf_of_an_edition_is_made_too(staff, cluster):
    annual = factories.document(kind="annual_report")
    answer = schedule(staff, kind="pdf", document=annual.pk, arguments={"reports": "all"})
    assert answer.status_code == 201, answer.data
    assert staff.post(f"{URL}{answer.data['id']}/run/").status_code == 202
    work()
    [part] = mail.outbox[0].attachments
    assert (part.get_filename(), part.get_payload(decode=True)[:5], part.get_content_type()) == (
        "Annual Report (2025-2026) (all).pdf",
        b"%PDF-",
        "application/pdf",
    )


def test_what_has_not_changed_is_sent_again_without_being_made_again(staff, plan, cluster):
    report_id = schedule(staff).data["id"]
    for _ in range(2):
        due(report_id)
        work()
    assert (Task.objects.filter(kind="export").count(), len(mail.outbox)) == (1, 2)


def test_however_many_look_it_is_begun_once(staff, plan, cluster):
    due(schedule(staff).data["id"])
    scheduled_reports.enqueue_due()
    scheduled_reports.enqueue_due()
    assert Task.objects.filter(kind="export").count() == 1


@pytest.mark.parametrize(("missed", "count"), [("once", 1), ("skip", 0)])
def test_a_time_that_was_missed_is_caught_up_once_or_skipped(staff, plan, cluster, missed, count):
    report_id = schedule(staff, missed=missed).data["id"]
    due(report_id, timedelta(days=30))
    work()
    work()
    assert Task.objects.filter(kind="export").count() == count
    report = ScheduledReport.objects.get(next_run_at__gt=timezone.now())
    assert ("was missed" in report.last_problem) == (missed == "skip")


def test_it_shows_what_its_owner_may_see_and_nothing_when_they_are_gone(staff, plan, cluster, maintainer):
    report_id = schedule(staff).data["id"]
    maintainer.is_active = False
    maintainer.save(update_fields=["is_active"])
    due(report_id)
    work()
    assert (Task.objects.filter(kind="export").count(), mail.outbox) == (0, [])
    assert "may not schedule reports any more" in ScheduledReport.objects.get().last_problem


def test_a_pause_ends_with_its_next_time(staff):
    report = schedule(staff).data
    assert staff.patch(f"{URL}{report['id']}/", {"is_paused": True}).data["next_run_at"] is None
    assert staff.patch(f"{URL}{report['id']}/", {"name": "Others"}).data["next_run_at"] is None
    again = staff.patch(f"{URL}{report['id']}/", {"is_paused": False}).data
    assert again["next_run_at"] == report["next_run_at"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"cron": "0 7 * *"}, "five parts"),
        ({"cron": "0 7 * * * *"}, "five parts"),
        ({"cron": "61 7 * * *"}, "bad minute"),
        ({"cron": "0 0 30 2 *"}, "bad day-of-month"),
        ({"cron": "* * * * *"}, "every ten minutes"),
        ({"cron": "0,5 7 * * *"}, "every ten minutes"),
        ({"cron": "a" * 101}, "100 characters"),
        ({"receivers": ["nobody"]}, "receivers/0: Enter a valid email"),
        ({"receivers": []}, "empty"),
        ({"arguments": {"what": "people", "format": "csv"}}, "projects, documents"),
        ({"arguments": {"what": "projects"}}, "csv"),
        ({"arguments": {"when": "now"}}, "Unknown: when"),
        ({"kind": "pdf", "arguments": {}}, "id of the document"),
        ({"kind": "pdf", "document": 999_999, "arguments": {}}, "999999"),
    ],
)
def test_what_cannot_be_scheduled_is_refused_in_plain_words(staff, values, said):
    answer = schedule(staff, **values)
    assert answer.status_code == 400
    assert said in answer.json()["detail"], answer.json()


def test_two_reports_have_two_names(staff):
    schedule(staff)
    assert "name" in schedule(staff).json()["detail"]


def test_a_file_that_is_too_large_for_a_letter_is_only_named(staff, plan, cluster, monkeypatch):
    monkeypatch.setattr(notification_task, "MAX_ATTACHMENT_BYTES", 10)
    due(schedule(staff).data["id"])
    work()
    [letter] = mail.outbox
    assert (letter.attachments, "/file/" in letter.body) == ([], True)


def test_a_letter_that_cannot_be_sent_is_tried_again_and_logged(staff, plan, cluster, monkeypatch):
    monkeypatch.setattr(
        "django.core.mail.EmailMessage.send", lambda _: (_ for _ in ()).throw(OSError("no route"))
    )
    due(schedule(staff).data["id"])
    work()
    assert "no route" in Delivery.objects.get().error
    assert Task.objects.get(kind="notice").status == "retrying"


def test_the_page_shows_when_each_comes_next(staff, client, maintainer):
    schedule(staff, name="<b>Plans</b>")
    client.force_login(maintainer)
    page = client.get("/dashboard/reports/").content.decode()
    assert "&lt;b&gt;Plans&lt;/b&gt;" in page
    assert "Next <time" in page
    assert client.get("/dashboard/reports/list/").status_code == 200


def test_the_next_run_is_at_the_hour_of_the_agency(staff, settings):
    settings.TIME_ZONE = "Australia/Perth"
    at = datetime.fromisoformat(schedule(staff).data["next_run_at"]).astimezone(UTC)
    assert (at.hour, at.weekday()) == (23, 6)  # Monday 7:00 in Perth
