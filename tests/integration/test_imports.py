"""Imports: what each row does, what is reported, all or nothing, and by whom."""

import csv
import io
import logging

import pytest
import xlsxwriter
from django.core.files.uploadedfile import SimpleUploadedFile

from documents import kinds, store, tasks
from documents.imports import judging, writing
from documents.models import BusinessArea, Cluster, Document, Membership, Notice, Project, Task
from tests import factories
from tests.working import run_entries

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/api/v1/imports/"
HEAD = "tag,kind,year,status,background,aims\n"


@pytest.fixture
def staff(client_of, maintainer):
    return client_of(maintainer)


@pytest.fixture
def area(db):
    return BusinessArea.objects.create(name="Marine Science")


@pytest.fixture
def project(db):
    return factories.project(tag="SP-2026-012")


def send(client, content, what="documents", name="data.csv", headers=None, **fields):
    content = content if isinstance(content, bytes) else content.encode()
    form = {"file": SimpleUploadedFile(name, content), "what": what, **fields}
    return client.post(URL, form, format="multipart", headers=headers or {})


def apply(client, answer):
    return client.post(f"{URL}{answer.data['task_id']}/apply/")


def report(client, task_id):
    sent = client.get(f"/api/v1/tasks/{task_id}/file/")
    text = b"".join(sent.streaming_content).decode("utf-8-sig")
    return [tuple(row) for row in csv.reader(io.StringIO(text))][1:]


def counts(answer):
    return tuple(answer.data["result"][name] for name in ("new", "changed", "unchanged", "errors"))


# What rows do


def test_new_documents_are_checked_first_and_then_written(staff, project):
    checked = send(staff, HEAD + "SP-2026-012,concept_plan,2026,in_review,<p>Seagrass</p>,\n")
    assert (checked.status_code, counts(checked)) == (201, (1, 0, 0, 0))
    assert "Nothing was written" in checked.data["message"]
    assert not Document.objects.exists()
    done = apply(staff, checked)
    assert (done.status_code, counts(done)) == (201, (1, 0, 0, 0))
    [document] = Document.objects.all()
    assert (document.project, document.kind, document.year) == (project, "concept_plan", 2026)
    assert (document.status, document.version) == ("in_review", 1)
    assert document.sections == {"background": "<p>Seagrass</p>"}


def test_the_same_file_a_second_time_changes_nothing(staff, project):
    content = HEAD + "SP-2026-012,concept_plan,2026,new,<p>Seagrass<br/></p>,<p>Maps</p>\n"
    assert counts(send(staff, content, dry_run="false")) == (1, 0, 0, 0)
    before = Document.objects.values().get()
    assert counts(send(staff, content, dry_run="false")) == (0, 0, 1, 0)
    assert Document.objects.values().get() == before


def test_a_changed_row_counts_the_version_and_empty_cells_change_nothing(staff, project):
    sections = {"background": "<p>Old</p>", "aims": "<p>Kept</p>"}
    document = factories.document(project=project, sections=sections, status="in_review")
    done = send(staff, HEAD + "SP-2026-012,concept_plan,2026,,<p>New</p>,\n", dry_run="false")
    assert counts(done) == (0, 1, 0, 0)
    document.refresh_from_db()
    assert (document.version, document.status) == (2, "in_review")
    assert document.sections == {"background": "<p>New</p>", "aims": "<p>Kept</p>"}


def test_columns_that_are_not_there_are_left_alone(staff, project):
    document = factories.document(project=project, sections={"aims": "<p>Kept</p>"})
    send(staff, "tag;kind;year;status\nSP-2026-012;concept_plan;2026;approved\n", dry_run="false")
    document.refresh_from_db()
    assert (document.status, document.sections) == ("approved", {"aims": "<p>Kept</p>"})


def test_annual_reports_have_no_tag(staff):
    content = "tag,kind,year,directors_message\n,annual_report,2026,<p>Hello</p>\n"
    assert counts(send(staff, content, dry_run="false")) == (1, 0, 0, 0)
    assert counts(send(staff, content, dry_run="false")) == (0, 0, 1, 0)


def test_projects_are_known_by_their_tags(staff, area):
    content = (
        "tag,title,year,kind,status,business_area\n"
        "SP-2026-001,Reefs,2026,,,Marine Science\n"
        "STP-2026-001,A thesis,2025,student,active,Marine Science\n"
    )
    assert counts(send(staff, content, "projects", dry_run="false")) == (2, 0, 0, 0)
    reefs = Project.objects.get(tag="SP-2026-001")
    assert (reefs.kind, reefs.status, reefs.business_area) == ("science", "new", area)
    assert counts(send(staff, content, "projects", dry_run="false")) == (0, 0, 2, 0)
    renamed = "tag,title\nSP-2026-001,Corals\n"
    assert counts(send(staff, renamed, "projects", dry_run="false")) == (0, 1, 0, 0)
    assert Project.objects.get(tag="SP-2026-001").title == "Corals"


def test_a_workbook_does_the_same_whatever_its_name(staff, project):
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, ["tag", "kind", "year", "aims"])
        page.write_row(1, 0, ["SP-2026-012", "concept_plan", 2026, "'=1+1"])
    done = send(staff, stream.getvalue(), name="data.txt", dry_run="false")
    assert counts(done) == (1, 0, 0, 0)
    assert Document.objects.get().sections == {"aims": "=1+1"}


def exported(documents):
    """Return documents as exports write them: every column, defused."""
    stream = io.StringIO()
    keys = list(dict.fromkeys(key for kind in kinds.KINDS.values() for key in kind.section_keys()))
    table = csv.writer(stream)
    table.writerow(["tag", "kind", "year", "status", *keys])
    for one in documents:
        cells = [one.project.tag if one.project else "", one.kind, one.year, one.status]
        cells += [one.sections.get(key, "") for key in keys]
        table.writerow(judging._defused(cell) for cell in cells)
    return stream.getvalue()


def test_what_was_exported_is_imported_without_a_change(staff, project):
    texts = (
        "<p>a &amp; b</p>",
        "=1+1",
        "- item",
        "<table><tbody><tr><td>1</td></tr></tbody></table>",
        "two\nlines",
    )
    for kind, text in zip(kinds.KINDS.values(), texts, strict=False):
        factories.document(kind=kind.key, project=project, sections=dict.fromkeys(kind.section_keys(), text))
    factories.document(kind="annual_report", sections={"publications": "<ul><li>One</li></ul>"})
    done = send(staff, exported(Document.objects.all()), dry_run="false")
    assert counts(done) == (0, 0, 6, 0)
    assert set(Document.objects.values_list("version", flat=True)) == {1}


# What is wrong


def test_every_error_is_listed_by_row_and_column(staff, project):
    other = factories.project(tag="SP-2026-013")
    rows = (
        "SP-2026-012,concept_plan,2026,new,<p>fine</p>,",
        "SP-2026-999,concept_plan,2026,,<svg>x</svg>,",
        "SP-2026-012,essay,twenty,,,",
        "SP-2026-012,annual_report,2026,,,",
        ",concept_plan,2026,,,",
        "SP-2026-012,concept_plan,2026,,,",
        "SP-2026-012,student_report,2026,perhaps,<p>no such section</p>,",
        f"SP-2026-012,concept_plan,2025,,{'<div>' * 60},",
        "SP-2026-013,concept_plan,1066,,,",
    )
    answer = send(staff, HEAD + "\n".join(rows) + "\n")
    assert counts(answer) == (1, 0, 0, 10)
    listed = report(staff, answer.data["task_id"])
    assert [(row, column) for row, column, *_ in listed] == [
        ("3", "tag"),
        ("3", "background"),
        ("4", "kind"),
        ("4", "year"),
        ("5", "tag"),
        ("6", "tag"),
        ("7", "tag"),
        ("8", "status"),
        ("8", "background"),
        ("9", "background"),
        ("10", "year"),
    ]
    words = [problem for *_, problem in listed]
    assert "There is no project with this tag" in words[0]
    assert "It is none of: concept_plan, project_plan" in words[2]
    assert words[6] == "Row 2 is about the same."
    assert answer.data["result"]["first"][0] == {
        "row": 3,
        "column": "tag",
        "value": "SP-2026-999",
        "problem": words[0],
        "is_error": True,
    }
    assert other.documents.count() == 0


def test_a_new_project_needs_all_that_the_model_needs(staff, area):
    answer = send(staff, "tag,title,business_area\nnumber one,x,Moon\nSP-2026-001,,\n", "projects")
    found = {(row, column): problem for row, column, _, _, problem in report(staff, answer.data["task_id"])}
    assert found[("2", "tag")] == "A tag looks like SP-2026-012."
    assert found[("3", "title")] == "This field cannot be blank."
    assert set(found) == {
        ("2", "tag"),
        ("2", "business_area"),
        ("3", "title"),
        ("3", "year"),
        ("3", "business_area"),
    }


def test_what_the_sanitiser_takes_out_is_a_warning(staff, project):
    html = "<p onclick='x()'>Text<script>alert(1)</script></p>"
    answer = send(staff, HEAD + f"SP-2026-012,concept_plan,2026,,{html},\n")
    assert counts(answer) == (1, 0, 0, 0)
    [(row, column, value, severity, problem)] = report(staff, answer.data["task_id"])
    assert (row, column, value, severity) == ("2", "background", html, "warning")
    assert problem == "This will be left out of the HTML: <script>, onclick."
    assert apply(staff, answer).status_code == 201
    assert Document.objects.get().sections == {"background": "<p>Text</p>"}


def test_unknown_columns_are_an_error_that_lists_the_known(staff):
    answer = send(staff, "tag,kind,year,colour\nx,y,z,red\n")
    assert (counts(answer), answer.data["result"]["rows"]) == ((0, 0, 0, 1), 0)
    [(row, column, _, _, problem)] = report(staff, answer.data["task_id"])
    assert (row, column) == ("1", "colour")
    assert "known are: tag, kind, year, status, background" in problem


def test_the_report_is_safe_to_open_in_a_spreadsheet(staff):
    answer = send(staff, "tag,kind,year\n=HYPERLINK(1),concept_plan,2026\n")
    assert report(staff, answer.data["task_id"])[0][2] == "'=HYPERLINK(1)"


def test_a_long_list_of_errors_ends_and_says_so(staff, monkeypatch):
    monkeypatch.setattr(judging, "MOST_FINDINGS", 5)
    answer = send(staff, "tag,kind,year\n" + "".join(f"X-{n},concept_plan,2026\n" for n in range(8)))
    listed = report(staff, answer.data["task_id"])
    assert (len(listed), listed[-1][-1]) == (6, "3 more were found and are not listed.")
    assert answer.data["result"]["errors"] == 8


# All or nothing


def test_a_file_with_one_error_writes_nothing_and_has_the_same_report(staff, project):
    content = HEAD + "SP-2026-012,concept_plan,2026,,,\nSP-2026-999,concept_plan,2026,,,\n"
    answer = send(staff, content, dry_run="false")
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:spms:problem:import-refused")
    assert "row 3, column tag" in answer.json()["detail"]
    assert not Document.objects.exists()
    task = staff.get(f"/api/v1/tasks/{answer.json()['task_id']}/").data
    assert (task["status"], task["result"]["errors"]) == ("failed", 1)
    assert report(staff, task["task_id"]) == report(staff, send(staff, content).data["task_id"])


def test_a_document_that_changed_meanwhile_stops_the_whole_import(staff, project, monkeypatch):
    document = factories.document(project=project, sections={"aims": "<p>Old</p>"})
    judge = judging.judge

    def judge_and_be_late(*args, **options):
        judged = judge(*args, **options)
        if not Document.objects.filter(version=2).exists():
            Document.objects.filter(pk=document.pk).update(sections={"aims": "<p>By a person</p>"}, version=2)
        return judged

    monkeypatch.setattr(judging, "judge", judge_and_be_late)
    content = HEAD + "SP-2026-012,project_plan,2026,,,\nSP-2026-012,concept_plan,2026,,,<p>By a file</p>\n"
    answer = send(staff, content, dry_run="false")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:spms:problem:import-conflict")
    assert "row 3" in answer.json()["detail"]
    document.refresh_from_db()
    assert document.sections == {"aims": "<p>By a person</p>"}
    assert Document.objects.count() == 1


@pytest.mark.parametrize("content", ["tag,title\nSP-2026-012,Corals\n"])
def test_a_project_that_changed_meanwhile_stops_it_too(staff, project, monkeypatch, content):
    write = writing.write

    def be_late(changes, subject):
        Project.objects.filter(pk=project.pk).update(status="active")
        write(changes, subject)

    monkeypatch.setattr(writing, "write", be_late)
    assert send(staff, content, "projects", dry_run="false").status_code == 409
    assert Project.objects.get(pk=project.pk).title != "Corals"


def test_what_somebody_added_or_removed_meanwhile_stops_it(staff, project, monkeypatch):
    write = writing.write
    happens = [
        lambda: factories.document(project=project),
        lambda: Project.objects.filter(pk=project.pk).delete(),
    ]

    def be_late(changes, subject):
        happens.pop(0)()
        write(changes, subject)

    monkeypatch.setattr(writing, "write", be_late)
    content = HEAD + "SP-2026-012,concept_plan,2026,,,\n"
    for _ in range(2):
        answer = send(staff, content, dry_run="false")
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:spms:problem:import-conflict")
        assert not Document.objects.exists()


def test_an_import_that_was_taken_away_while_it_wrote_leaves_nothing(staff, project, monkeypatch):
    write = writing.write

    def be_cancelled(changes, subject):
        write(changes, subject)
        tasks.cancel(Task.objects.get().pk, by="somebody")

    monkeypatch.setattr(writing, "write", be_cancelled)
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
    with store.results().open(name, "ab") as stream:
        stream.write(b"SP-2026-012,project_plan,2026,,,\n")
    assert "not the file that was sent" in apply(staff, checked).json()["detail"]
    store.delete(name)
    assert "removed meanwhile" in apply(staff, checked).json()["detail"]
    assert not Document.objects.exists()


# In the queue


def test_an_import_in_the_queue_is_the_same_work(staff, project, settings, caplog):
    settings.SPMS_MODE = "queue"
    Cluster.objects.create(name="host:1:a", workers=1)
    content = HEAD + "SP-2026-012,concept_plan,2026,,<p>x</p>,\n"
    checked = send(staff, content)
    assert checked.status_code == 202
    assert send(staff, content).data["task_id"] == checked.data["task_id"]
    assert len([*store.results().listdir("")[1]]) == 0
    run_entries()
    begun = apply(staff, checked)
    assert (begun.status_code, begun.data["status"]) == (202, "queued")
    with caplog.at_level(logging.INFO, "documents.imports.tasks"):
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
    assert list(Notice.objects.values_list("target", "task__kind")) == [(maintainer.email, "import")] * 2


def test_after_a_conflict_it_is_judged_anew_by_a_retry(staff, project, monkeypatch):
    document = factories.document(project=project)
    write = writing.write

    def be_late(changes, subject):
        monkeypatch.undo()
        document.bump_version()
        write(changes, subject)

    monkeypatch.setattr(writing, "write", be_late)
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
