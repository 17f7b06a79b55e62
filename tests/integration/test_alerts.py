"""Maintainers are told of changes of the mode and of failed tasks, if they want to be, once, and by every channel."""

import json
import time
from datetime import timedelta

import pytest
from django.core import mail
from django.core.checks import run_checks
from django.utils import timezone

from documents.models import Cluster, Task
from documents.queue import hints, lifecycle
from documents.tasks import alerts
from metrics import flag
from metrics.models import ModeChange
from tests.waiting import wait_for
from tests.working import run_entries

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def by_mail(settings):
    settings.SPMS_ALERT_MAIL = ["ops@example.org", "night@example.org"]
    Cluster.objects.create(name="host:1:a", workers=2)


@pytest.fixture
def alerted(receiver, settings):
    settings.SPMS_ALERT_WEBHOOK = receiver.url
    return receiver


def change(setting="queue"):
    flag.override(setting, by="kim", reason="deadline day", until=timezone.now() + timedelta(hours=1))


def fail(count=1, detail="The image 7 is broken."):
    for number in range(count):
        Task.objects.create(
            kind="pdf",
            fingerprint=f"f{number}{time.monotonic_ns()}",
            status="failed",
            error={"type": "render-failed", "title": "The PDF could not be made", "detail": detail},
            finished_at=timezone.now() - timedelta(seconds=alerts.PERIOD_SECONDS),
        )


def test_nobody_is_told_by_default():
    change()
    fail()
    alerts.enqueue_due()
    run_entries()
    assert (Task.objects.filter(kind="alert").count(), mail.outbox) == (0, [])


def test_a_change_of_the_mode_is_mailed_once(by_mail):
    change()
    run_entries()
    [letter] = mail.outbox
    assert letter.to == ["ops@example.org", "night@example.org"]
    assert letter.subject == "SPMS: inline → queue"
    assert "deadline day" in letter.body
    change()  # the same mode again
    run_entries()
    assert len(mail.outbox) == 1


@pytest.mark.parametrize(
    ("state", "end"), [("firing", "/dashboard/#p95_response_time"), ("inactive", "/dashboard/")]
)
def test_an_alert_links_to_the_limit_that_caused_it(by_mail, state, end):
    limits = [{"name": "error_rate", "state": "firing", "routes_to_queue": False}]
    limits.append({"name": "p95_response_time", "state": state, "routes_to_queue": True})
    change = ModeChange.objects.create(
        before="inline", after="queue", setting="auto", actor="evaluator", evidence={"thresholds": limits}
    )
    alerts.enqueue(alerts.MODE, change.pk)
    run_entries()
    assert mail.outbox[0].body.endswith(end)


def test_a_dry_run_is_no_change(by_mail):
    change = ModeChange.objects.create(
        before="inline", after="queue", setting="auto", actor="x", is_dry_run=True
    )
    flag.notify_change(change)
    assert not Task.objects.filter(kind="alert").exists()


def test_failed_tasks_are_told_of_together_and_once(by_mail):
    fail(3)
    fail(detail="The table is too deep.")
    for _ in range(2):
        alerts.enqueue_due()
        run_entries()
    [letter] = mail.outbox
    assert letter.subject == "SPMS: 4 tasks failed"
    assert "3 × pdf: The PDF could not be made. The image <n> is broken." in letter.body
    assert "/dashboard/tasks/" in letter.body


def test_a_webhook_gets_both_and_its_failure_is_retried(alerted, settings):
    settings.SPMS_RETRY_BACKOFF = 0.01
    Cluster.objects.create(name="host:1:a", workers=2)
    alerted.answers = [500]
    change()
    run_entries()
    assert Task.objects.get(kind="alert").status == "retrying"
    wait_for(lambda: Task.objects.due().exists())
    hints.recover()
    run_entries()
    fail()
    alerts.enqueue_due()
    run_entries()
    kinds = [json.loads(body)["type"] for _, _, body in alerted.got]
    assert kinds == ["mode.changed", "mode.changed", "tasks.failed"]


def test_without_workers_the_message_is_sent_from_where_it_arose(settings):
    settings.SPMS_ALERT_MAIL = ["ops@example.org"]
    change()
    wait_for(lambda: mail.outbox)
    assert len(mail.outbox) == 1


def test_a_fault_in_telling_does_not_undo_the_change(by_mail, monkeypatch):
    def broken(about, number):
        raise RuntimeError("the queue is on fire")

    monkeypatch.setattr(alerts, "enqueue", broken)
    change()
    assert flag.mode() == "queue"


def test_a_message_that_fails_is_not_told_of_itself(by_mail):
    fail()
    Task.objects.update(kind="alert")
    alerts.enqueue_due()
    assert Task.objects.count() == 1


def test_an_alert_that_an_older_version_stored_is_sent(by_mail):
    """Its channel, subject and number are only in its fingerprint."""
    change_id = ModeChange.objects.create(before="inline", after="queue", setting="auto", actor="kim").pk
    old = Task.objects.create(kind="alert", fingerprint=f"mail mode {change_id}", mode="queue")
    lifecycle.run(old.pk, deadline=time.monotonic() + 600)
    old.refresh_from_db()
    assert (old.status, old.message) == ("succeeded", "Sent by mail: SPMS: inline → queue")
    [letter] = mail.outbox
    assert letter.subject == "SPMS: inline → queue"


def test_an_alert_has_arguments(by_mail):
    alerts.enqueue(alerts.MODE, 7)
    task = Task.objects.get(kind="alert")
    assert task.fingerprint == "mail mode 7"
    assert task.arguments == {"channel": "mail", "about": "mode", "number": 7}


def test_a_webhook_that_is_not_allowed_is_refused_at_start(settings):
    settings.SPMS_ALERT_WEBHOOK = "https://elsewhere.example.org/hook"
    assert [error.id for error in run_checks()] == ["spms.E010"]
