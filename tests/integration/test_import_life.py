"""Imports: all or nothing, in both modes, asked for by staff only."""

import logging

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from documents.infrastructure import storage
from documents.models import Cluster, Document, Membership, Project, Subscription, Task
from documents.queue import lifecycle
from documents.tasks.imports import validation, writer
from tests import factories
from tests.importing import HEAD, URL, apply, counts, report, send
from tests.working import run_entries

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project(db):
    return factories.project(tag="SP-2026-012")


def test_a_file_with_one_error_writes_nothing_and_has_the_same_report(staff, project):
    content = HEAD + "SP-2026-012,concept_plan,2026,,,\nSP-2026-999,concept_plan,2026,,,\n"
    answer = send(staff, content, dry_run="false")
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:spms:problem:import-refused")
    assert "row 3, column tag" in answer.json()["detail"]
    assert not Document.objects.exists()
    task = staff.get(f"/api/v1/tasks/{answer.json()['task_id']}/").data
    assert (task["status"], task["result"]["error_count"]) == ("failed", 1)
    assert report(staff, task["task_id"]) == report(staff, send(staff, content).data["task_id"])


def test_a_document_that_changed_meanwhile_stops_the_whole_import(staff, project, monkeypatch):
    document = factories.document(project=project, sections={"aims": "<p>Old</p>"})
    judge = validation.validate

    def judge_and_be_late(*args, **options):
        judged = judge(*args, **options)
        if not Document.objects.filter(version=2).exists():
            Document.objects.filter(pk=document.pk).update(sections={"aims": "<p>By a person</p>"}, version=2)
        return judged

    monkeypatch.setattr(validation, "validate", judge_and_be_late)
    content = HEAD + "SP-2026-012,project_plan,2026,,,\nSP-2026-012,concept_plan,2026,,,<p>By a file</p>\n"
    answer = send(staff, content, dry_run="false")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:spms:problem:import-conflict")
    assert "row 3" in answer.json()["detail"]
    document.refresh_from_db()
    assert document.sections == {"aims": "<p>By a person</p>"}
    assert Document.objects.count() == 1


@pytest.mark.parametrize("content", ["tag,title\nSP-2026-012,Corals\n"])
def test_a_project_that_changed_meanwhile_stops_it_too(staff, project, monkeypatch, content):
    write = writer.write_rows

    def be_late(changes, resource):
        Project.objects.filter(pk=project.pk).update(status="active")
        write(changes, resource)

    monkeypatch.setattr(writer, "write_rows", be_late)
    assert send(staff, content, "projects", dry_run="false").status_code == 409
    assert Project.objects.get(pk=project.pk).title != "Corals"


@pytest.mark.parametrize("change", ["added", "removed", "exchanged"])
def test_members_that_changed_meanwhile_stop_the_whole_import(
    staff, owner, member, stranger, monkeypatch, change
):
    project = factories.project(owner, tag="SP-2026-012")
    write, memberships = writer.write_rows, project.memberships

    def be_late(changes, resource):
        if change == "added":
            memberships.create(user=stranger)
        elif change == "removed":
            memberships.all().delete()
        else:
            memberships.update(user=stranger)
        write(changes, resource)

    monkeypatch.setattr(writer, "write_rows", be_late)
    monkeypatch.setattr(validation, "BATCH", 1)
    area = project.business_area.name
    content = (
        "tag,title,year,business_area,members\n"
        f"SP-2026-001,Reefs,2026,{area},member\n"
        "SP-2026-012,,,,member owner\n"
    )
    answer = send(staff, content, "projects", dry_run="false")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:spms:problem:import-conflict")
    assert "row 3" in answer.json()["detail"]
    assert Project.objects.count() == 1
    assert not Membership.objects.filter(user=member).exists()


def test_members_that_a_file_does_not_speak_of_may_change_meanwhile(staff, project, owner, monkeypatch):
    write = writer.write_rows

    def be_late(changes, resource):
        Membership.objects.create(project=project, user=owner)
        write(changes, resource)

    monkeypatch.setattr(writer, "write_rows", be_late)
    content = "tag,title,members\nSP-2026-012,Corals,\n"
    assert counts(send(staff, content, "projects", dry_run="false")) == (0, 1, 0, 0)
    assert (Project.objects.get().title, Membership.objects.get().user) == ("Corals", owner)


def test_a_person_who_was_deleted_meanwhile_stops_it(staff, project, owner, monkeypatch):
    write = writer.write_rows

    def be_late(changes, resource):
        owner.delete()
        write(changes, resource)

    monkeypatch.setattr(writer, "write_rows", be_late)
    answer = send(staff, "tag,title,members\nSP-2026-012,Corals,owner\n", "projects", dry_run="false")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:spms:problem:import-conflict")
    assert Project.objects.get().title != "Corals"


def test_what_somebody_added_or_removed_meanwhile_stops_it(staff, project, monkeypatch):
    write = writer.write_rows
    happens = [
        lambda: factories.document(project=project),
        lambda: Project.objects.filter(pk=project.pk).delete(),
    ]

    def be_late(changes, resource):
        happens.pop(0)()
        write(changes, resource)

    monkeypatch.setattr(writer, "write_rows", be_late)
    content = HEAD + "SP-2026-012,concept_plan,2026,,,\n"
    for _ in range(2):
        answer = send(staff, content, dry_run="false")
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:spms:problem:import-conflict")
        assert not Document.objects.exists()


def test_an_import_that_was_taken_away_while_it_wrote_leaves_nothing(staff, project, settings, monkeypatch):
    settings.SPMS_INLINE_DEADLINE = 2
    write = writer.write_rows

    def be_cancelled(changes, resource):
        write(changes, resource)
        lifecycle.cancel(Task.objects.get().pk, by="somebody")

    monkeypatch.setattr(writer, "write_rows", be_cancelled)
    answer = send(staff, HEAD + "SP-2026-012,concept_plan,2026,,,\n", dry_run="false")
    assert not Document.objects.exists()
    assert answer.status_code in {202, 409, 504}


def test_only_a_clean_dry_run_can_be_applied(staff, project):
    bad = send(staff, HEAD + "SP-2026-999,concept_plan,2026,,,\n")
    done = send(staff, HEAD + "SP-2026-012,concept_plan,2026,,,\n", dry_run="false")
    for answer in (bad, done):
        refused = apply(staff, answer)
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:spms:problem:task-state")


def test_a_file_that_is_gone_or_another_one_is_not_applied(staff, project):
    checked = send(staff, HEAD + "SP-2026-012,concept_plan,2026,,,\n")
    name = Task.objects.get().source
    with storage.results().open(name, "ab") as stream:
        stream.write(b"SP-2026-012,project_plan,2026,,,\n")
    assert "not the one that was uploaded" in apply(staff, checked).json()["detail"]
    storage.delete(name)
    assert "was removed" in apply(staff, checked).json()["detail"]
    assert not Document.objects.exists()


def uploads():
    return {name for name in storage.iter_names(storage.results()) if name.endswith(".import")}


def test_only_the_file_of_a_task_is_kept(staff, project, settings):
    settings.SPMS_MODE = "queue"
    Cluster.objects.create(name="host:1:a", workers=1)
    before, content = uploads(), HEAD + "SP-2026-012,concept_plan,2026,,,\n"
    assert [send(staff, content).status_code for _ in range(2)] == [202, 202]  # the second joins the first
    settings.SPMS_QUEUE_LIMIT = 1
    assert send(staff, content, dry_run="false").status_code == 503
    assert uploads() - before == {Task.objects.get().source}


# In the queue


def test_an_import_in_the_queue_is_the_same_work(staff, project, settings, caplog):
    settings.SPMS_MODE = "queue"
    Cluster.objects.create(name="host:1:a", workers=1)
    content = HEAD + "SP-2026-012,concept_plan,2026,,<p>x</p>,\n"
    checked = send(staff, content)
    assert checked.status_code == 202
    assert send(staff, content).data["task_id"] == checked.data["task_id"]
    assert len([*storage.results().listdir("")[1]]) == 0
    run_entries()
    begun = apply(staff, checked)
    assert (begun.status_code, begun.data["status"]) == (202, "queued")
    with caplog.at_level(logging.INFO, "documents.tasks.imports.task"):
        run_entries()
    assert staff.get(f"/api/v1/tasks/{begun.data['task_id']}/").data["status"] == "succeeded"
    task = Task.objects.get(pk=begun.data["task_id"])
    assert task.arguments["dry_run_task"] == checked.data["task_id"]
    assert f"by maintainer: documents, file {task.arguments['digest']}, 1 row: 1 new" in caplog.text


def test_a_client_may_ask_for_the_queue(staff, project):
    Cluster.objects.create(name="host:1:a", workers=1)
    answer = send(staff, HEAD, headers={"Prefer": "respond-async"})
    assert (answer.status_code, answer["Preference-Applied"]) == (202, "respond-async")


def test_who_asks_for_it_is_told_when_it_has_ended(staff, project, maintainer):
    checked = send(staff, HEAD + "SP-2026-012,concept_plan,2026,,,\n", notify="true")
    done = staff.post(f"{URL}{checked.data['task_id']}/apply/", {"notify": True}, format="json")
    assert done.status_code == 201
    assert (
        list(Subscription.objects.values_list("target", "task__kind")) == [(maintainer.email, "import")] * 2
    )


def test_after_a_conflict_a_retry_validates_it_again(staff, project, monkeypatch):
    document = factories.document(project=project)
    write = writer.write_rows

    def be_late(changes, resource):
        monkeypatch.undo()
        document.apply_changes({"status": "in_review"}, by="author")
        write(changes, resource)

    monkeypatch.setattr(writer, "write_rows", be_late)
    refused = send(staff, HEAD + "SP-2026-012,concept_plan,2026,,<p>New</p>,\n", dry_run="false")
    assert refused.status_code == 409
    again = staff.post(f"/api/v1/tasks/{refused.json()['task_id']}/retry/")
    assert (again.status_code, counts(again)) == (200, (0, 1, 0, 0))
    document.refresh_from_db()
    assert (document.version, document.sections) == (2, {"background": "<p>New</p>"})


def test_who_is_no_longer_staff_imports_nothing(staff, project, maintainer, settings):
    settings.SPMS_MODE = "queue"
    Cluster.objects.create(name="host:1:a", workers=1)
    begun = send(staff, HEAD + "SP-2026-012,concept_plan,2026,,,\n", dry_run="false")
    type(maintainer).objects.update(is_staff=False)
    run_entries()
    task = Task.objects.get(pk=begun.data["task_id"])
    assert (task.status, (task.error or {})["type"]) == ("failed", "import-refused")
    assert not Document.objects.exists()


# The request


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"what": "documents"}, "#/file"),
        ({"file": SimpleUploadedFile("x.csv", b"")}, "#/file"),
        ({"what": "people"}, "#/what"),
        ({"dry_run": "perhaps"}, "#/dry_run"),
        ({"colour": "red"}, "#/colour"),
    ],
)
def test_a_wrong_form_is_refused(staff, fields, pointer):
    answer = staff.post(URL, fields, format="multipart")
    assert answer.status_code == 400
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


def test_without_a_body_or_with_another_it_is_refused(staff):
    assert staff.post(URL).status_code == 400
    assert staff.post(URL, {"what": "documents"}, format="json").status_code == 415


def test_what_is_no_table_is_refused_in_words(staff):
    answer = send(staff, b"tag,title\nx,Gr\xf6\xdfe\n")
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:spms:problem:import-unreadable")
    assert "CSV UTF-8" in answer.json()["detail"]


def test_what_is_too_large_is_refused_before_it_is_read(staff, settings):
    settings.SPMS_MAX_UPLOAD_BYTES = 1000
    assert send(staff, "x" * 2000).status_code == 413


@pytest.mark.parametrize("person", ["owner", "stranger"])
def test_only_staff_may_import(request, client_of, person, staff, project):
    client = client_of(request.getfixturevalue(person))
    Membership.objects.create(project=project, user=request.getfixturevalue(person))
    assert send(client, HEAD).status_code == 403
    checked = send(staff, HEAD + "SP-2026-012,concept_plan,2026,,,\n")
    assert apply(client, checked).status_code == 403
    assert client.get(f"/api/v1/tasks/{checked.data['task_id']}/file/").status_code == 404


def test_other_tasks_cannot_be_applied(staff, maintainer):
    task = Task.objects.create(kind="pdf", fingerprint="x", requested_by=maintainer, status="succeeded")
    assert staff.post(f"{URL}{task.pk}/apply/").status_code == 404
