"""The right to a task follows what it is about, and is asked again whenever the task runs or is served."""

import asyncio
import hashlib
import threading
import uuid

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone

from documents.api import events
from documents.infrastructure import storage
from documents.models import Membership, Subscription, Task
from documents.queue import end_watcher, hints, lifecycle
from documents.tasks.exports import spec
from documents.tasks.notifications import task as notification_task
from tests import exporting, factories, importing
from tests.asking import address, status_of
from tests.waiting import wait_for
from tests.working import open_cycle, run_entries

pytestmark = pytest.mark.django_db(transaction=True)
CONTENT = b"what is in the file"
ALL, ROW, NOTHING = "all", "row without its file", "nothing"

# What the person who began a task has of it afterwards, by the kind of task and by what became of the person.
MEMBERS = {
    "pdf": {"left": NOTHING, "document deleted": NOTHING},
    "image": {"left": NOTHING, "document deleted": NOTHING},
    "export of documents": {"left": ROW, "document deleted": ROW},
    "export of projects": {"left": ROW, "document deleted": ALL},
    "zip": {"left": ROW, "document deleted": ROW},
}
STAFF = {
    "pdf": {"no longer staff": NOTHING, "document deleted": ROW},
    "annual report": {"no longer staff": NOTHING, "document deleted": ROW},
    "export of documents": {"no longer staff": ROW, "document deleted": ALL},
    "zip": {"no longer staff": ROW, "document deleted": ALL},
    "import": {"no longer staff": NOTHING},
    "cycle": {"no longer staff": NOTHING},
    "notice": {"no longer staff": NOTHING},
    "alert": {"no longer staff": NOTHING},
    "cleanup": {"no longer staff": NOTHING},
    "summary": {"no longer staff": NOTHING},
}
EVERYBODY = {"stays": ALL, "deactivated": NOTHING, "never was a member": NOTHING}
CASES = [
    (who, kind, fate, served)
    for who, kinds in (("member", MEMBERS), ("staff", STAFF))
    for kind, fates in kinds.items()
    for fate, served in (EVERYBODY | fates).items()
]


def stored(name, text=CONTENT):
    with storage.workspace() as folder:
        (folder / name).write_bytes(text)
        return storage.save(folder / name, suffix=f".{name.rpartition('.')[2]}")


def begin(kind, person, document):
    """Return a task of this person that has succeeded with a file."""
    about = document if kind in {"pdf", "image", "annual report"} else None
    values = {"kind": {"annual report": "pdf"}.get(kind, kind.partition(" ")[0]), "document": about}
    if kind.startswith(("export", "zip")):
        what = "projects" if kind == "export of projects" else "documents"
        export = spec.parse(what=what, format="zip" if kind == "zip" else "csv", filters={})
        rows = [document.project_id if what == "projects" else document.pk]
        contents = {} if person.is_staff else {"contents": rows}
        values |= {"kind": "export", "arguments": export.as_arguments() | contents}
    facts = {"bytes": len(CONTENT), "filename": "file.bin", "rows": 1}
    return Task.objects.create(
        **values,
        requested_by=person,
        fingerprint=kind,
        status=Task.Status.SUCCEEDED,
        file=stored("file.bin"),
        digest=hashlib.sha256(CONTENT).hexdigest(),
        result=facts,
        finished_at=timezone.now(),
    )


def meet(fate, person, document):
    match fate:
        case "left":
            Membership.objects.filter(user=person).delete()
        case "deactivated":
            person.is_active = False
            person.save()
        case "no longer staff":
            person.is_staff = False
            person.save()
        case "document deleted":
            document.delete()


@pytest.fixture
def document_of(owner):
    """Return a function that makes what a kind of task is about, with ``owner`` among its members."""

    def document_of(kind):
        return (
            factories.document(kind="annual_report") if kind == "annual report" else factories.document(owner)
        )

    return document_of


@pytest.mark.parametrize(("who", "kind", "fate", "served"), CASES)
def test_a_task_is_served_in_every_way_or_in_none(
    who, kind, fate, served, document_of, owner, maintainer, stranger
):
    person = owner if who == "member" else maintainer
    document = document_of(kind)
    task, begun_by = begin(kind, person, document), person
    Subscription.objects.create(task=task, channel="mail", target=person.email, requested_by=person)
    client = Client()
    person = stranger if fate == "never was a member" else person
    client.force_login(person)
    meet(fate, person, document)
    path = f"/api/v1/tasks/{task.pk}/"
    missing = 401 if fate == "deactivated" else 404
    row = missing if served == NOTHING else 200
    assert status_of(client, path) == row
    assert status_of(client, f"{path}notices/") == row
    assert status_of(client, f"{path}events/") == (501 if row == 200 else missing)
    assert status_of(client, f"{path}file/") == (200 if served == ALL else missing)
    ended = 409 if row == 200 else missing
    for action in ("cancel", "retry"):
        assert client.post(f"{path}{action}/", content_type="application/json").status_code == ended
    listed = client.get("/api/v1/tasks/")
    ids = [one["task_id"] for one in listed.json().get("results", [])]
    assert ids == ([str(task.pk)] if row == 200 else [])
    for query in (f"kind={task.kind}", f"document={document.pk or 0}", "status=succeeded"):
        ids = [one["task_id"] for one in client.get(f"/api/v1/tasks/?{query}").json().get("results", [])]
        assert row == 200 or not ids
    page = client.get("/exports/").content.decode()
    assert row == 200 or str(task.pk) not in page
    if kind in {"pdf", "annual report"} and served == NOTHING and document.pk:
        assert status_of(client, f"{address(document)}?task={task.pk}") == missing
        assert client.get(f"/documents/{document.pk}/").status_code in {302, 404}
    assert begun_by.pk == Task.objects.get(pk=task.pk).requested_by_id


def test_every_kind_of_task_is_in_the_table():
    from documents.queue import registry

    named = {kind.partition(" ")[0] for kind in {*MEMBERS, *STAFF}} - {"zip", "annual"}
    assert named == {*registry._task_types}


@pytest.mark.parametrize("fate", ["left", "deactivated"])
def test_who_left_does_not_retry_what_they_began(fate, plan, owner, member, queued, client_of):
    client = client_of(owner)
    task_id = client.post(address(plan)).data["task_id"]
    assert client.post(f"/api/v1/tasks/{task_id}/cancel/").status_code == 200
    meet(fate, owner, plan)
    for action in ("retry", "cancel"):
        assert client.post(f"/api/v1/tasks/{task_id}/{action}/").status_code == 404
    # Others of the project may go on with it, and get what comes of it.
    colleague = client_of(member)
    assert colleague.post(f"/api/v1/tasks/{task_id}/retry/").status_code == 202
    run_entries()
    assert colleague.get(f"/api/v1/tasks/{task_id}/").data["status"] == "succeeded"
    for path in ("", "file/", "notices/"):
        assert client.get(f"/api/v1/tasks/{task_id}/{path}").status_code == 404


@pytest.mark.parametrize("form", ["csv", "zip"])
def test_an_export_is_had_while_all_of_its_rows_may_be_read(form, plan, owner, client_of):
    second = factories.document(owner)
    client = client_of(owner)
    task_id = exporting.later(client, what="documents", form=form)
    url = exporting.made_now(client, task_id)["result"]["url"]
    assert status_of(client, url) == 200
    Membership.objects.filter(user=owner, project=second.project).delete()
    refused = client.get(url)
    assert (refused.status_code, refused.json()["type"]) == (404, "urn:spms:problem:file-missing")
    assert "Make a new one" in refused.json()["detail"]


def test_an_export_that_waits_has_what_its_requester_may_read_when_it_runs(plan, owner, client_of):
    second = factories.document(owner)
    client = client_of(owner)
    task_id = exporting.later(client, what="documents", form="jsonl")
    Membership.objects.filter(user=owner, project=second.project).delete()
    task = exporting.made_now(client, task_id)
    assert task["result"]["rows"] == 1
    assert status_of(client, task["result"]["url"]) == 200


@pytest.mark.parametrize("fate", ["left", "deactivated", "document deleted"])
@pytest.mark.parametrize("channel", ["mail", "webhook"])
def test_nothing_is_told_to_who_lost_the_right_meanwhile(
    fate, channel, plan, owner, queued, client_of, receiver
):
    wish = {"notify": True} if channel == "mail" else {"webhook": receiver.url}
    client_of(owner).post(address(plan), wish)
    run_entries()
    meet(fate, owner, plan)
    notification_task.enqueue_due()
    run_entries()
    sender = Task.objects.get(kind="notice")
    assert (sender.status, sender.error and sender.error["type"]) == ("failed", "notice-refused")
    assert (mail.outbox, receiver.got) == ([], [])


def test_a_file_is_not_mailed_for_who_lost_the_right_to_it(plan, maintainer, client_of):
    task_id = exporting.later(client_of(maintainer), what="documents")
    task = Task.objects.get(pk=task_id)
    notification_task.subscribe_with_file(task, maintainer, "board@example.org")
    run_entries()
    meet("no longer staff", maintainer, plan)
    notification_task.enqueue_due()
    run_entries()
    assert Task.objects.get(kind="notice").status == "failed"
    assert mail.outbox == []


@pytest.mark.parametrize("fate", ["deactivated", "no longer staff"])
def test_an_import_does_not_run_for_who_is_no_longer_staff(fate, plan, maintainer, client_of, queued):
    table = f"{importing.HEAD}{plan.project.tag},concept_plan,2026,new,Changed,\n"
    answer = importing.send(
        client_of(maintainer), table, dry_run="false", headers={"Prefer": "respond-async"}
    )
    assert answer.status_code == 202, answer.data
    meet(fate, maintainer, plan)
    run_entries()
    task = Task.objects.get(kind="import")
    assert (task.status, task.error and task.error["type"]) == ("failed", "import-refused")
    plan.refresh_from_db()
    assert plan.sections["background"] != "Changed"


@pytest.mark.parametrize("fate", ["deactivated", "no longer staff"])
def test_a_cycle_stops_when_who_opened_it_is_no_longer_staff(
    fate, projects, maintainer, client_of, queued, inbox
):
    assert open_cycle(client_of(maintainer)).status_code == 202
    meet(fate, maintainer, None)
    run_entries()
    task = Task.objects.get(kind="cycle")
    assert (task.status, task.error and task.error["type"]) == ("failed", "cycle-state")
    assert inbox.messages == []
    # Another member of staff resumes it.
    other = client_of(factories.staff("other"))
    assert other.post(f"/api/v1/cycles/{task.cycles.get().pk}/resume/").status_code == 202
    for _ in range(3):
        hints.recover()
        run_entries()
    assert len(inbox.messages) == 2


def test_the_right_is_asked_again_after_a_long_wait(plan, owner, client_of, queued):
    client = client_of(owner)
    task_id = client.post(address(plan)).data["task_id"]

    def leave():
        wait_for(lambda: uuid.UUID(task_id) in end_watcher.watcher()._waiting)
        meet("left", owner, plan)
        lifecycle.cancel(uuid.UUID(task_id), by="a test")  # ends the wait
        connection.close()

    leaving = threading.Thread(target=leave)
    leaving.start()
    answer = client.get(f"/api/v1/tasks/{task_id}/?wait=30")
    leaving.join()
    assert answer.status_code == 404


@pytest.mark.parametrize("fate", ["left", "deactivated", "document deleted"])
@pytest.mark.parametrize("is_silent", [True, False])
def test_an_open_stream_ends_with_the_right_and_tells_nothing_more(
    fate, is_silent, plan, owner, member, monkeypatch
):
    monkeypatch.setattr(events, "POLL_INTERVAL_SECONDS", 0.02)
    monkeypatch.setattr(events, "RIGHTS_INTERVAL_SECONDS", 0.1 if is_silent else 3600)
    task = Task.objects.create(
        kind="pdf", document=plan, requested_by=owner, fingerprint="f", status="running"
    )

    async def follow():
        hub = events.Hub()
        async with hub.watching(task.pk, owner.pk) as stream, hub.watching(task.pk, member.pk) as other:
            first = await asyncio.wait_for(stream.updates.get(), 60)
            await asyncio.wait_for(other.updates.get(), 60)
            await sync_to_async(meet)(fate, owner, plan)
            if not is_silent:
                await sync_to_async(Task.objects.filter(pk=task.pk).update)(message="secret")
            last = await asyncio.wait_for(stream.updates.get(), 60)
            seen_by_other = None if is_silent else await asyncio.wait_for(other.updates.get(), 60)
        return first, last, seen_by_other

    first, last, seen_by_other = async_to_sync(follow)()
    assert first is not None
    assert (first["task_id"], last) == (str(task.pk), None)
    if not is_silent and fate != "document deleted":
        assert seen_by_other is not None
        assert seen_by_other["message"] == "secret"


def test_a_list_of_tasks_is_one_query_more_than_its_count(
    plan, owner, client_of, django_assert_max_num_queries
):
    for number in range(30):
        Task.objects.create(
            kind="pdf", document=plan, requested_by=owner, fingerprint=str(number), status="failed"
        )
    client = client_of(owner)
    client.get("/api/v1/tasks/")  # notes that the person is there
    with django_assert_max_num_queries(2):
        assert client.get("/api/v1/tasks/").data["count"] == 30
