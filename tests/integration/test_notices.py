"""Whoever asked is told of a task's end, by mail or by webhook, and what goes wrong there touches no PDF."""

import base64
import hashlib
import hmac
import json

import pytest
from django.core import mail

from documents import exceptions
from documents.models import Subscription, Task
from documents.queue import hints
from documents.tasks.notifications import task as notification_task, webhooks
from tests import factories
from tests.asking import address
from tests.receiver import HOST, KEY
from tests.working import replace_handler, run_entries

pytestmark = pytest.mark.django_db(transaction=True)


def work():
    """Do what a cluster does: begin the notices that are due, and run what is in the queue."""
    notification_task.enqueue_due()
    run_entries()


def listed(client, task_id):
    return client.get(f"/api/v1/tasks/{task_id}/notices/").data


def error_of(task_id):
    """Return the type of what went wrong in sending the one notice of a task, if it is over."""
    sender = Task.objects.get(sends__task=task_id)
    return sender.error and sender.error["type"]


def test_a_mail_says_that_the_pdf_is_ready_and_where(api, plan, owner, settings):
    settings.SPMS_URL = "https://spms.example.org"
    answer = api.post(address(plan), {"notify": True})
    assert answer.status_code == 201
    work()
    [letter] = mail.outbox
    assert letter.to == [owner.email]
    assert "the PDF is ready" in letter.subject
    assert f"https://spms.example.org{address(plan)}?task={answer.data['task_id']}" in letter.body
    [notice] = listed(api, answer.data["task_id"])
    assert (notice["channel"], notice["status"], len(notice["deliveries"])) == ("mail", "succeeded", 1)
    work()
    assert len(mail.outbox) == 1


def test_nobody_is_told_who_did_not_ask(api, plan):
    answer = api.post(address(plan))
    work()
    assert (listed(api, answer.data["task_id"]), mail.outbox) == ([], [])


def test_who_joins_a_task_is_told_too(plan, owner, member, client_of, queued):
    for user in (owner, member):
        assert client_of(user).post(address(plan), {"notify": True}).status_code == 202
    work()
    work()
    assert sorted(letter.to[0] for letter in mail.outbox) == [member.email, owner.email]


def test_a_pdf_that_is_there_already_is_told_of_too_each_time_that_somebody_asks(api, plan):
    api.post(address(plan))
    for count in (1, 2):
        assert api.post(address(plan), {"notify": True}).status_code == 200
        work()
        assert len(mail.outbox) == count


def test_a_failure_is_told_as_well(api, plan, monkeypatch):
    def broken(attempt):
        raise exceptions.DocumentUnrenderable("The layout of this document does not end.")

    replace_handler(monkeypatch, broken)
    refused = api.post(address(plan), {"notify": True})
    assert refused.status_code == 422
    work()
    [letter] = mail.outbox
    assert "could not be made" in letter.subject
    assert f"/api/v1/tasks/{refused.data['task_id']}/" in letter.body


def test_a_cancelled_task_is_told_of_and_again_after_its_retry(api, plan, queued):
    task_id = api.post(address(plan), {"notify": True}).data["task_id"]
    api.post(f"/api/v1/tasks/{task_id}/cancel/")
    work()
    assert api.post(f"/api/v1/tasks/{task_id}/retry/").status_code == 202
    work()
    work()
    assert [letter.subject.rpartition(": ")[2] for letter in mail.outbox] == [
        "the PDF was cancelled",
        "the PDF is ready",
    ]


def test_a_webhook_is_signed_as_the_specification_says(api, plan, receiver):
    task = api.post(address(plan), {"webhook": receiver.url}).data
    work()
    [(path, headers, body)] = receiver.got
    [notice] = listed(api, task["task_id"])
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}"
    expected = base64.b64encode(hmac.new(base64.b64decode(KEY), signed.encode(), hashlib.sha256).digest())
    assert headers["webhook-signature"] == f"v1,{expected.decode()}"
    assert (path, headers["webhook-id"]) == ("/hook?from=spms", notice["notice_id"])
    told = json.loads(body)
    assert (told["type"], told["data"]["task_id"]) == ("task.succeeded", task["task_id"])
    assert notice["deliveries"][0]["status_code"] == 204


def test_the_signature_is_that_of_the_specifications_example(settings):
    settings.SPMS_WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signature = webhooks.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (500, "retrying", "notice-failed"),
        (429, "retrying", "notice-failed"),
        (404, "failed", "notice-refused"),
        (302, "failed", "notice-refused"),
    ],
)
def test_a_receiver_in_trouble_is_tried_again_and_one_that_refuses_is_not(
    api, plan, receiver, answer, status, error
):
    receiver.answers = [answer]
    pdf_answer = api.post(address(plan), {"webhook": receiver.url})
    work()
    [notice] = listed(api, pdf_answer.data["task_id"])
    assert notice["status"] == status
    assert notice["deliveries"][0]["error"] == f"It answered {answer}."
    assert len(receiver.got) == 1
    assert error_of(pdf_answer.data["task_id"]) == error
    assert api.get(f"/api/v1/tasks/{pdf_answer.data['task_id']}/").data["status"] == "succeeded"


def test_a_notice_is_sent_again_when_its_retry_is_due(api, plan, receiver, settings):
    settings.SPMS_RETRY_BACKOFF = 0
    receiver.answers = [500]
    answer = api.post(address(plan), {"webhook": receiver.url})
    work()
    hints.recover()
    work()
    [notice] = listed(api, answer.data["task_id"])
    assert [delivery["status_code"] or delivery["error"] for delivery in notice["deliveries"]] == [
        "It answered 500.",
        204,
    ]
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 1


def test_a_notice_is_resent_by_hand(api, plan, receiver):
    receiver.answers = [400]
    task = api.post(address(plan), {"webhook": receiver.url}).data
    work()
    [notice] = listed(api, task["task_id"])
    resend = f"/api/v1/tasks/{task['task_id']}/notices/{notice['notice_id']}/resend/"
    assert (api.post(resend).status_code, api.post(resend).status_code) == (202, 202)
    work()
    assert len(receiver.got) == 2
    assert listed(api, task["task_id"])[0]["status"] == "succeeded"


def test_a_receiver_that_is_away_is_tried_again(api, plan, receiver):
    receiver.shutdown()
    receiver.server_close()
    answer = api.post(address(plan), {"webhook": receiver.url})
    work()
    [notice] = listed(api, answer.data["task_id"])
    assert notice["status"] == "retrying"
    assert "could not be reached" in notice["deliveries"][0]["error"]


def test_a_mail_server_that_is_away_is_tried_again_and_the_pdf_is_there(api, plan, settings):
    settings.MAILERS = {
        "default": {
            "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "OPTIONS": {"host": HOST, "port": 9, "timeout": 2},
        }
    }
    answer = api.post(address(plan), {"notify": True})
    work()
    [notice] = listed(api, answer.data["task_id"])
    assert (answer.status_code, notice["status"]) == (201, "retrying")
    assert "mail server" in notice["deliveries"][0]["error"]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://elsewhere.example/hook", "not allowed"),
        ("https://hooks.example.org.evil.example/", "not allowed"),
        ("https://hooks.example.org@evil.example/", "no user"),
        ("http://hooks.example.org/", "https://"),
        ("ftp://hooks.example.org/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("https://hooks.example.org:99999/", "not a valid address"),
        ("https://[::1", "not a valid address"),
        ("hooks.example.org", "https://"),
        ("https://hooks.example.org/\r\nX-Evil:1", "not a valid address"),
        ("https://hooks.example.org/straße", "not a valid address"),
    ],
)
def test_only_allowed_addresses_are_taken(api, plan, settings, url, reason):
    settings.SPMS_WEBHOOK_HOSTS = ["hooks.example.org"]
    answer = api.post(address(plan), {"webhook": url})
    assert answer.status_code == 400
    assert reason in answer.json()["detail"]
    assert not Task.objects.exists()


def test_nothing_is_sent_to_a_private_address_whatever_its_name(api, plan, receiver, settings, monkeypatch):
    task = api.post(address(plan), {"webhook": receiver.url}).data
    settings.SPMS_WEBHOOK_ALLOW_PRIVATE = False
    monkeypatch.setattr(webhooks, "find_problem", lambda url: "")
    work()
    [notice] = listed(api, task["task_id"])
    assert (notice["status"], receiver.got) == ("failed", [])
    assert notice["deliveries"][0]["error"] == "The host has a private address."


def test_who_has_no_mail_address_is_told_so(plan, owner, client_of):
    owner.email = ""
    owner.save()
    answer = client_of(owner).post(address(plan), {"notify": True})
    assert answer.status_code == 400
    assert "no e-mail address" in answer.json()["detail"]


@pytest.mark.parametrize("body", [{"notify": "perhaps"}, {"webhook": 7}, {"notfy": True}, [], "text"])
def test_a_wrong_body_is_refused(api, plan, body):
    assert api.post(address(plan), body, format="json").status_code == 400
    assert not Task.objects.exists()


def test_notices_are_for_who_asked_and_for_staff(plan, owner, member, stranger, maintainer, client_of):
    task_id = client_of(owner).post(address(plan), {"notify": True}).data["task_id"]
    counts = [len(listed(client_of(user), task_id)) for user in (owner, member, maintainer)]
    assert counts == [1, 0, 1]
    notice = Subscription.objects.get()
    resend = f"/api/v1/tasks/{task_id}/notices/{notice.pk}/resend/"
    statuses = [client_of(user).post(resend).status_code for user in (member, stranger, maintainer)]
    assert statuses == [404, 404, 202]
    assert client_of(stranger).get(f"/api/v1/tasks/{task_id}/notices/").status_code == 404


def test_a_notice_whose_task_is_gone_fails_with_a_reason(maintainer):
    orphan = Task.objects.create(kind=notification_task.KIND, fingerprint="notice x", mode="queue")
    hints.run_task.call(str(orphan.pk))
    orphan.refresh_from_db()
    assert (orphan.status, orphan.error and orphan.error["type"]) == ("failed", "notice-refused")


def test_a_report_without_a_project_is_named_in_its_mail(maintainer, client_of):
    report = factories.document(kind="annual_report")
    client_of(maintainer).post(address(report), {"notify": True})
    work()
    assert "Annual Report" in mail.outbox[0].subject
