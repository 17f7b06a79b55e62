"""A new cycle: what opening makes, who gets a letter, stop and resume, and who may do what."""

import datetime

import pytest
from django.core import mail as outbox

from documents.models import Cycle, Document, Project, Task
from documents.queue import lifecycle
from documents.queue.requests import TaskRequest
from documents.tasks.cycles import letter_template, preparation
from tests import factories
from tests.working import letter_states, open_cycle, turn

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/v1/cycles/"


def test_every_active_project_gets_its_report_and_each_person_one_letter(staff, projects, owner):
    answer = open_cycle(staff)
    assert answer.status_code == 201, answer.json()
    assert answer.data["result"] == {"url": None, "fingerprint": "cycle 2026"} | {
        "cycle": Cycle.objects.get().pk,
        "reports": 2,
        "sent": 2,
        "failed": 0,
        "perhaps_sent": 0,
    }
    kinds = dict(Document.objects.values_list("project__title", "kind"))
    assert kinds == {"Seagrass": "progress_report", "Turtles": "student_report"}
    assert sorted(message.to[0] for message in outbox.outbox) == ["member@example.org", "owner@example.org"]
    letter = next(message for message in outbox.outbox if message.to == [owner.email])
    assert letter.subject == "Reports for 2025-2026 are due on 31 July 2026"
    assert "Dear Owner Example," in letter.body
    assert "Seagrass\n- " in letter.body
    assert "Turtles" in letter.body


def test_a_report_that_is_there_stays_and_opening_twice_makes_nothing_twice(staff, projects, maintainer):
    own = factories.document(project=projects[0], kind="progress_report", sections={"aims": "<p>Ours</p>"})
    cycle = factories.cycle()
    for _ in range(2):
        preparation.prepare(cycle, lambda *_: None)
        cycle.prepared_at = None
    assert (Document.objects.count(), cycle.letters.count()) == (2, 2)
    own.refresh_from_db()
    assert own.sections == {"aims": "<p>Ours</p>"}
    cycle.refresh_from_db()
    assert cycle.reports == 1


def test_who_has_left_gets_nothing_and_who_has_no_address_is_listed(staff, projects, owner, member):
    type(owner).objects.filter(pk=owner.pk).update(is_active=False)
    type(member).objects.filter(pk=member.pk).update(email="")
    open_cycle(staff)
    cycle = Cycle.objects.get()
    failed = staff.get(f"{URL}{cycle.pk}/letters/?state=failed").data["results"]
    assert [(listed["person"], listed["error"]) for listed in failed] == [("member", preparation.NO_ADDRESS)]
    assert letter_states() == {"member": "failed"}
    assert not outbox.outbox


def test_a_dry_run_says_what_would_be_made_and_makes_nothing(staff, projects, settings):
    settings.SPMS_MAILS_PER_MINUTE = 120
    answer = open_cycle(staff, dry_run=True)
    assert answer.status_code == 200
    example = answer.data.pop("example")
    assert dict(answer.data) == {"reports": 2, "letters": 2, "without_address": 0, "seconds": 1.0}
    assert "Seagrass" in example["text"]
    assert not any(model.objects.exists() for model in (Cycle, Document, Task))


def test_a_year_has_one_cycle(staff, projects):
    assert open_cycle(staff).status_code == 201
    for values in ({}, {"dry_run": True}):
        again = open_cycle(staff, **values)
        assert (again.status_code, again.json()["type"]) == (409, "urn:spms:problem:cycle-exists")
    assert Task.objects.count() == 1


@pytest.mark.parametrize(
    ("letter", "said"),
    [
        ({"subject": "Hello {nobody}"}, "{name}, {year}, {due}, {projects}, {url}"),
        ({"text": "{name.__class__} {url}"}, "no placeholder {name.__class__}"),
        ({"subject": "Reports\r\nBcc: everybody@example.org"}, "one line"),
        ({"subject": "Reports\u2028x"}, "one line"),
        ({"text": "x" * 10_001}, "10000"),
        ({"subject": ""}, "blank"),
        ({"body": "x"}, "Unknown member"),
    ],
)
def test_a_letter_that_cannot_be_written_is_refused(staff, letter, said):
    answer = open_cycle(staff, letter=letter)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]
    assert not Cycle.objects.exists()


@pytest.mark.parametrize("values", [{"year": 1900}, {"due": "soon"}, {"year": None}, {"colour": "red"}])
def test_a_cycle_that_makes_no_sense_is_refused(staff, values):
    assert open_cycle(staff, **values).status_code == 400


def test_what_fills_a_placeholder_stays_words(owner):
    owner.first_name, owner.last_name = "{url}\r\nBcc: x@example.org", "\\1"
    cycle = Cycle(year=2026, due=datetime.date(2026, 7, 1), subject="For {name}", text="{projects} {")
    written = letter_template.render(cycle, owner, ["SP-2026-001 {year}"])
    assert written.subject == "For {url} Bcc: x@example.org \\1"
    assert written.text == "- SP-2026-001 {year} {"


def test_it_is_stopped_and_resumed(staff, settings, queued, projects, maintainer):
    settings.SPMS_MAILS_PER_MINUTE = 1
    begun = open_cycle(staff)
    assert begun.status_code == 202
    cycle = Cycle.objects.get()
    assert staff.get(f"{URL}{cycle.pk}/").data["state"] == "sending"
    turn()
    stopped = staff.post(f"{URL}{cycle.pk}/stop/")
    assert (stopped.data["state"], stopped.data["letters"]["waiting"]) == ("stopped", 1)
    assert staff.post(f"{URL}{cycle.pk}/stop/").status_code == 409
    settings.SPMS_MAILS_PER_MINUTE = 0
    resumed = staff.post(f"{URL}{cycle.pk}/resume/")
    assert resumed.data["task_id"] != begun.data["task_id"]
    turn()
    assert staff.get(f"{URL}{cycle.pk}/").data["state"] == "done"
    assert staff.post(f"{URL}{cycle.pk}/resume/").status_code == 409
    assert len(outbox.outbox) == 2


def test_cancelling_and_retrying_its_task_is_the_same(staff, settings, queued, projects):
    task = f"/api/v1/tasks/{open_cycle(staff).data['task_id']}/"
    assert staff.post(f"{task}cancel/").data["status"] == "cancelled"
    turn()
    assert not outbox.outbox
    assert staff.post(f"{task}retry/").status_code == 202
    turn()
    assert len(outbox.outbox) == 2


def test_a_cycle_that_finds_no_room_in_the_queue_is_not_opened(staff, settings, queued, projects, maintainer):
    settings.SPMS_QUEUE_LIMIT = 1
    for number in range(1):
        request = TaskRequest(kind="pdf", fingerprint=str(number))
        lifecycle.get_or_create(request, user=maintainer, mode="queue")
    answer = open_cycle(staff)
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:spms:problem:queue-full")
    assert not Cycle.objects.exists()


def test_whoever_opens_it_is_told_when_all_is_sent(staff, settings, queued, projects, maintainer):
    open_cycle(staff, notify=True)
    assert Task.objects.get(kind="cycle").notices.get().target == maintainer.email


def test_a_removed_cycle_fails_its_task_with_a_word(staff, queued, projects):
    open_cycle(staff)
    Cycle.objects.all().delete()
    turn()
    assert Task.objects.get().message == "The cycle was removed."


@pytest.mark.parametrize("call", ["stop", "resume"])
def test_calls_without_a_body_take_none(staff, call):
    cycle = factories.cycle()
    assert staff.post(f"{URL}{cycle.pk}/{call}/", {"x": 1}, format="json").status_code == 400


def test_suspended_and_ended_projects_take_no_part(db):
    for status in Project.Status.values:
        factories.project(factories.user(), status=status)
    assert sorted(preparation.projects_without_report(2026).values_list("status", flat=True)) == [
        "active",
        "updating",
    ]
    assert preparation.recipients().count() == 2


def test_cycles_are_listed_the_newest_first(staff):
    for year in (2025, 2027, 2026):
        factories.cycle(year=year)
    assert [listed["year"] for listed in staff.get(URL).data["results"]] == [2027, 2026, 2025]
    assert [listed["year"] for listed in staff.get(URL, {"year": 2026}).data["results"]] == [2026]
