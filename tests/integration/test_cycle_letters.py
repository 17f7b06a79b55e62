"""What becomes of each letter of a cycle: refused, put off, lost on the way, came back; and at which pace they go."""

import uuid
from datetime import timedelta

import pytest
from django.core import mail as outbox
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from documents.models import Cluster, Cycle, Letter, Task
from documents.operations.supervisor import Supervisor
from documents.queue import lifecycle
from documents.tasks.cycles import preparation, task as letter_task
from tests import factories
from tests.working import letter_states, open_cycle, turn

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/v1/cycles/"


def test_who_leaves_before_the_letter_is_sent_gets_none(staff, projects, owner, inbox):
    cycle = factories.cycle()
    preparation.prepare(cycle, lambda *_: None)
    type(owner).objects.filter(pk=owner.pk).update(is_active=False)
    assert staff.post(f"{URL}{cycle.pk}/resume/").status_code == 201
    assert letter_states() == {"owner": "failed", "member": "sent"}


def test_a_hostile_address_fails_and_the_others_go_on(staff, projects, member, inbox):
    type(member).objects.filter(pk=member.pk).update(email="a@example.org\r\nRCPT TO:<b@example.org>")
    open_cycle(staff)
    assert letter_states() == {"owner": "sent", "member": "failed"}
    assert inbox.addresses == ["owner@example.org"]


def test_a_mail_has_the_same_id_in_every_try(staff, projects, owner, inbox):
    open_cycle(staff)
    [letter] = [message for message in inbox.messages if message["To"] == owner.email]
    assert letter["Message-ID"] == f"<spms-cycle-2026-{owner.pk}@127.0.0.1>"
    assert letter["Auto-Submitted"] == "auto-generated"


def test_letters_go_over_one_connection_and_a_refused_receiver_stops_nobody(staff, projects, owner, inbox):
    inbox.at_rcpt[owner.email] = ["550 5.1.1 no such mailbox"]
    answer = open_cycle(staff)
    assert answer.data["message"] == "2 reports made, 1 letter sent, 1 failed."
    assert (letter_states(), inbox.connections) == ({"owner": "failed", "member": "sent"}, 1)
    assert Letter.objects.get(person=owner).error == "550 5.1.1 no such mailbox"


def test_what_a_server_refuses_after_it_has_seen_the_text_has_failed(staff, projects, owner, inbox):
    inbox.at_data[owner.email] = ["554 this is spam"]
    open_cycle(staff)
    assert Letter.objects.get(person=owner).error == "554 this is spam"
    assert letter_states()["member"] == "sent"


def test_a_letter_that_is_put_off_is_tried_again_later_and_not_for_ever(
    staff, projects, owner, inbox, queued, settings
):
    settings.SPMS_MAX_RETRIES = 2
    inbox.at_rcpt[owner.email] = ["450 greylisted"] * 3
    open_cycle(staff)
    for delays in range(1, 3):
        turn()
        letter = Letter.objects.get(person=owner)
        assert (letter.state, letter.error, letter.delays) == ("waiting", "450 greylisted", delays)
        assert letter.due_at > timezone.now() + timedelta(seconds=50 * delays)
        Letter.objects.update(due_at=timezone.now())
        Task.objects.update(claimable_at=timezone.now())
    turn()
    assert letter_states() == {"owner": "failed", "member": "sent"}
    assert Task.objects.get().status == "succeeded"


def test_a_mail_server_that_is_away_is_waited_for_and_then_said(staff, projects, settings, queued):
    options = {"host": "127.0.0.1", "port": 1, "timeout": 1}
    settings.MAILERS = {
        "default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}
    }
    open_cycle(staff)
    for _ in range(settings.SPMS_MAX_RETRIES):
        turn()
        assert Task.objects.get().status == "retrying"
        Task.objects.update(claimable_at=timezone.now())
    turn()
    task = Task.objects.get()
    assert (task.status, lifecycle.exception_from(task).slug) == ("failed", "mail-server-away")
    assert letter_states() == {"owner": "waiting", "member": "waiting"}
    assert staff.get(f"{URL}{Cycle.objects.get().pk}/").data["state"] == "stopped"


def test_inline_a_mail_server_that_is_away_is_said_at_once(staff, projects, settings):
    options = {"host": "127.0.0.1", "port": 1, "timeout": 1}
    settings.MAILERS = {
        "default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}
    }
    answer = open_cycle(staff)
    assert (answer.status_code, answer.json()["type"]) == (502, "urn:spms:problem:mail-server-away")


def test_a_server_that_closes_the_connection_after_some_letters_counts_as_no_failed_attempt(
    staff, projects, member, inbox, queued
):
    inbox.at_data[member.email] = ["hang up"]
    open_cycle(staff)
    turn()
    task = Task.objects.get()
    assert (task.status, task.attempts) == ("queued", 0)
    assert letter_states() == {"owner": "sent", "member": "perhaps_sent"}
    Task.objects.update(claimable_at=timezone.now())
    turn()
    assert Task.objects.get().message == "2 reports made, 1 letter sent, 1 perhaps sent: look at them."


def test_a_refused_sender_is_no_fault_of_the_letters(staff, projects, inbox):
    inbox.at_mail = ["550 not from you"]
    answer = open_cycle(staff)
    assert "does not take mail from spms@localhost: 550 not from you" in answer.json()["detail"]
    assert letter_states() == {"owner": "waiting", "member": "waiting"}


def test_what_a_dead_worker_was_sending_is_listed_and_not_sent_again(staff, projects, owner, inbox):
    cycle = factories.cycle()
    preparation.prepare(cycle, lambda *_: None)
    before = timezone.now() - timedelta(minutes=2)
    claim = "0123456789abcdef0123456789abcdef"
    Letter.objects.filter(person=owner).update(state="sending", claim=claim, tried_at=before)
    assert staff.get(f"{URL}{cycle.pk}/").data["letters"]["perhaps_sent"] == 1
    staff.post(f"{URL}{cycle.pk}/resume/")
    assert letter_states() == {"owner": "perhaps_sent", "member": "sent"}
    assert inbox.addresses == ["member@example.org"]
    again = staff.post(f"{URL}{cycle.pk}/again/", {"state": "perhaps_sent"}, format="json")
    assert again.status_code == 201
    assert (letter_states()["owner"], inbox.addresses) == (
        "sent",
        ["member@example.org", "owner@example.org"],
    )


@pytest.fixture
def orphan(projects, owner):
    """A letter whose sender died, of a cycle that no task sends."""
    cycle = factories.cycle()
    preparation.prepare(cycle, lambda *_: None)
    before = timezone.now() - timedelta(minutes=2)
    Letter.objects.filter(person=owner).update(state="sending", claim=uuid.uuid4(), tried_at=before)
    return Letter.objects.get(person=owner)


@pytest.mark.parametrize("url", ["/api/v1/cycles/{}/", "/dashboard/cycles/{}/", "/dashboard/cycles/{}/now/"])
def test_reading_a_cycle_writes_nothing(client, maintainer, orphan, url):
    client.force_login(maintainer)
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(url.format(orphan.cycle_id))
    assert answer.status_code == 200
    assert not [query for query in queries if "documents_letter" in query["sql"] and "UPDATE" in query["sql"]]
    orphan.refresh_from_db()
    assert orphan.state == "sending"


def test_the_supervisor_settles_the_letters_of_dead_senders(orphan):
    Supervisor("host:1:a", 2).tick()
    orphan.refresh_from_db()
    assert (orphan.state, orphan.error) == ("perhaps_sent", letter_task.ORPHANED)


def test_the_supervisor_leaves_a_cycle_that_a_task_sends(orphan):
    task = Task.objects.create(kind="cycle", fingerprint="cycle 2026", status="running")
    Cycle.objects.update(task=task)
    Supervisor("host:1:a", 2).tick()
    orphan.refresh_from_db()
    assert orphan.state == "sending"


def test_a_sender_that_was_given_up_still_notes_what_came_of_its_letter(projects, owner, inbox):
    cycle = factories.cycle()
    preparation.prepare(cycle, lambda *_: None)
    letter = Letter.objects.get(person=owner)
    token = uuid.uuid4()
    assert letter_task._mark_of(letter, token)()
    letter_task.mark_orphans_unknown(cycle, None)
    letter_task._note_of(letter, token)(Letter.State.SENT, "", sent_at=timezone.now())
    letter.refresh_from_db()
    assert (letter.state, letter.error) == ("sent", "")


def test_what_is_perhaps_on_its_way_is_not_sent_again_for_a_minute(staff, owner):
    letter = factories.letter(factories.cycle(), owner, state="perhaps_sent", tried_at=timezone.now())
    answer = staff.post(f"{URL}{letter.cycle_id}/letters/{letter.pk}/again/")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:spms:problem:cycle-state")


def test_two_senders_cannot_take_the_same_letter(owner):
    letter = factories.letter(factories.cycle(), owner)
    first, second = (letter_task._mark_of(letter, uuid.uuid4()) for _ in range(2))
    assert (first(), second()) == (True, False)


def test_a_failed_letter_is_sent_again_to_the_present_address(staff, projects, owner, inbox):
    inbox.at_rcpt[owner.email] = ["550 no such mailbox"]
    open_cycle(staff)
    type(owner).objects.filter(pk=owner.pk).update(email="new@example.org")
    letter = Letter.objects.get(person=owner)
    assert staff.post(f"{URL}{letter.cycle_id}/letters/{letter.pk}/again/").status_code == 201
    assert inbox.addresses == ["member@example.org", "new@example.org"]
    assert staff.post(f"{URL}{letter.cycle_id}/letters/{letter.pk}/again/").status_code == 409


def test_a_letter_that_came_back_is_listed_with_the_reason(staff, projects, owner):
    open_cycle(staff)
    letter = Letter.objects.get(person=owner)
    letters = staff.get(f"{URL}{letter.cycle_id}/letters/", {"message_id": letter.message_id}).data["results"]
    bounce = f"{URL}{letter.cycle_id}/letters/{letters[0]['id']}/bounce/"
    answer = staff.post(bounce, {"reason": "mailbox full"}, format="json")
    assert (answer.data["state"], answer.data["error"]) == ("failed", "It came back: mailbox full")
    assert staff.post(bounce, {"reason": "again"}, format="json").status_code == 409
    assert staff.post(bounce, {}, format="json").status_code == 400


def test_the_limit_is_kept_and_what_is_left_goes_on_later(staff, owner, settings, queued, monkeypatch):
    settings.SPMS_MAILS_PER_MINUTE = 12  # two in ten seconds
    clock = (timezone.now() + timedelta(minutes=1)).replace(second=1, microsecond=0)
    monkeypatch.setattr(timezone, "now", lambda: clock)
    factories.project(*[factories.user() for _ in range(5)], status="active")
    Cluster.objects.update(seen_at=clock)
    open_cycle(staff)
    for count in (2, 4, 5):
        turn()
        assert len(outbox.outbox) == count
        turn()
        assert len(outbox.outbox) == count, "sent before its time"
        task = Task.objects.get()
        assert task.status == ("succeeded" if count == 5 else "queued")
        clock += timedelta(seconds=10)
    assert task.attempts == 1
