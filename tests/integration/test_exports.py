"""Exports: what is in each format, for whom, defused, reused, inline and in the queue, and what can go wrong."""

import csv
import io
import json
import re

import openpyxl
import pytest
from django.contrib.auth.models import User
from hypothesis import given, strategies as st

from documents.infrastructure import spreadsheets, storage
from documents.models import BusinessArea, Cluster, Membership, Project, Task, document_types
from documents.tasks.exports import rows, spec, task as export_task, writers
from tests import factories
from tests.exporting import URL, content_of, export, later, made_now, zip_of
from tests.integration.test_storage_faults import problem_of

pytestmark = pytest.mark.django_db(transaction=True)
HOSTILE = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "＝1+1", "'=1+1", '=HYPERLINK("http://x","y")', "<r>x</r>")
ODD = ("Möwe, “Albatros”\nund 鳥 🐢", "a;b,c\t'd'", "'quoted'", "_x0041_ & <b>", "\u202eright to left")


def csv_of(client, **wish):
    text = content_of(client, export(client, **wish).data)
    assert text.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"), newline=""), strict=True))


def xlsx_of(client, **wish):
    content = content_of(client, export(client, form="xlsx", **wish).data)
    [sheet] = openpyxl.load_workbook(io.BytesIO(content)).worksheets
    head, *rows = sheet.iter_rows()
    assert {cell.data_type for row in rows for cell in row} <= {"s", "n"}
    assert not any(cell.hyperlink for row in rows for cell in row)
    names = [cell.value for cell in head]
    return [dict(zip(names, [cell.value for cell in row], strict=True)) for row in rows]


def jsonl_of(client, **wish):
    lines = content_of(client, export(client, form="jsonl", **wish).data).decode().splitlines()
    return [json.loads(line) for line in lines]


def test_projects_are_the_same_in_each_format(api, plan):
    project = plan.project
    values = [project.tag, project.title, 2026, "science", "new", project.business_area.name, "member owner"]
    expected = dict(zip(spec.COLUMNS["projects"], values, strict=True))
    assert csv_of(api) == [expected | {"year": "2026"}]
    assert xlsx_of(api) == [expected]
    assert jsonl_of(api) == [expected | {"members": ["member", "owner"]}]


def test_a_project_without_members_has_an_empty_cell_or_list(maintainer, client_of):
    factories.project()
    client = client_of(maintainer)
    assert (csv_of(client)[0]["members"], xlsx_of(client)[0]["members"]) == ("", None)
    assert jsonl_of(client)[0]["members"] == []


def test_a_username_that_looks_like_a_formula_is_defused_too(api, owner):
    factories.project(owner, factories.user("@SUM"), factories.user("-1"))
    assert csv_of(api)[0]["members"] == "'-1 @SUM owner"
    assert xlsx_of(api)[0]["members"] == "-1 @SUM owner"
    assert jsonl_of(api)[0]["members"] == ["-1", "@SUM", "owner"]


def test_documents_have_a_column_for_each_section_of_their_kind(api, plan):
    keys = document_types.CONCEPT_PLAN.section_keys()
    [row] = csv_of(api, what="documents", filters={"kind": "concept_plan"})
    assert list(row) == ["tag", "kind", "year", "status", *keys]
    assert row["aims"] == plan.sections["aims"]
    [row] = xlsx_of(api, what="documents", filters={"kind": "concept_plan"})
    assert (row["aims"], row["outcome"]) == (plan.sections["aims"], None)
    [record] = jsonl_of(api, what="documents")
    assert record["sections"] == plan.sections


def test_documents_of_several_kinds_have_the_sections_of_all(api, plan):
    factories.document(project=plan.project, kind="student_report", sections={"progress_report": "<p>x</p>"})
    first, second = csv_of(api, what="documents")
    assert (first["aims"], first["progress_report"]) == (plan.sections["aims"], "")
    assert (second["aims"], second["progress_report"]) == ("", "<p>x</p>")


def test_filters_are_those_of_the_lists(api, owner, plan):
    factories.project(owner, year=2001)
    assert [row["year"] for row in csv_of(api, filters={"year": 2001})] == ["2001"]
    area = plan.project.business_area.pk
    assert len(csv_of(api, what="documents", filters={"business_area": area, "status": ""})) == 1
    assert csv_of(api, what="documents", filters={"year": 1999}) == []


def test_an_empty_result_is_a_file_with_the_names_only(client_of, stranger):
    client = client_of(stranger)
    assert csv_of(client) == xlsx_of(client) == jsonl_of(client) == []
    [name] = zip_of(client).namelist()
    assert name == "MISSING.txt"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"what": "people", "format": "csv"}, "people"),
        ({"what": "projects", "format": "pdf"}, "pdf"),
        ({"what": "projects", "format": "zip"}, "csv, xlsx, jsonl"),
        ({"what": "projects", "format": "csv", "make": True}, "Leave out make"),
        ({"what": "projects", "format": "csv", "colour": "red"}, "known are"),
        ({"what": "projects", "format": "csv", "filters": {"colour": "red"}}, "filters are: kind, year"),
        ({"what": "projects", "format": "csv", "filters": {"year": "soon"}}, "Filter year"),
        ({"what": "projects", "format": "csv", "filters": {"business_area": "Seas"}}, "Filter business_area"),
        ({"what": "documents", "format": "csv", "filters": {"kind": "poem"}}, "choices are: concept_plan"),
        ({"what": "documents", "format": "csv", "filters": {"kind": ["x"]}}, "whole number"),
        ({"what": "documents", "format": "csv", "filters": []}, "dictionary"),
        ({"what": "documents", "format": "csv", "filters": {"kind": "\0"}}, "ull characters"),
        ({"format": "csv"}, "required"),
    ],
)
def test_what_there_is_not_is_refused_and_what_there_is_named(api, body, said):
    answer = api.post(URL, body)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]


def test_everybody_gets_what_they_may_see(plan, owner, stranger, maintainer, client_of):
    factories.document(stranger)
    factories.document(kind="annual_report")
    assert len(csv_of(client_of(owner), what="documents")) == 1
    assert len(csv_of(client_of(stranger), what="documents")) == 1
    assert len(csv_of(client_of(maintainer), what="documents")) == 3


def test_two_people_never_share_an_export_although_they_see_the_same(plan, owner, member, client_of):
    first = export(client_of(owner)).data
    assert export(client_of(member)).data["task_id"] != first["task_id"]
    assert client_of(member).get(f"/api/v1/tasks/{first['task_id']}/file/").status_code == 404


@pytest.mark.parametrize("loss", ["membership", "staff", "active", "deleted"])
def test_rights_count_when_the_export_is_made(plan, owner, maintainer, client_of, loss):
    owner.is_staff = loss != "membership"
    owner.save(update_fields=["is_staff"])
    task_id = later(client_of(owner))
    if loss == "deleted":
        owner.delete()
    elif loss == "membership":
        Membership.objects.filter(user=owner).delete()
    else:
        Membership.objects.filter(user=owner).delete()
        User.objects.filter(pk=owner.pk).update(**{f"is_{loss}": False})
    task = made_now(client_of(maintainer), task_id)
    assert (task["status"], task["result"]["rows"]) == ("succeeded", 0)


def test_a_filter_whose_area_was_deleted_meanwhile_shows_nothing(maintainer, client_of, plan):
    area = BusinessArea.objects.create(name="Gone")
    task_id = later(client_of(maintainer), filters={"business_area": area.pk})
    area.delete()
    assert made_now(client_of(maintainer), task_id)["result"]["rows"] == 0


def test_an_unchanged_export_is_there_already_and_a_changed_one_is_made_again(api, plan):
    task_id = export(api, what="documents").data["task_id"]
    assert export(api, what="documents", status=200).data["task_id"] == task_id
    api.patch(f"/api/v1/documents/{plan.pk}/", {"sections": {"aims": "<p>Count them.</p>"}})
    assert export(api, what="documents").data["task_id"] != task_id


@pytest.mark.parametrize("model", [Project, BusinessArea])
def test_a_new_name_makes_a_new_export(api, plan, model):
    export(api)
    row = plan.project if model is Project else plan.project.business_area
    setattr(row, "title" if model is Project else "name", "Renamed")
    row.save()
    assert "Renamed" in csv_of(api)[0].values()


@pytest.mark.parametrize("change", ["added", "removed", "exchanged", "renamed"])
def test_another_team_makes_a_new_export(api, plan, member, stranger, change):
    task_id = export(api).data["task_id"]
    assert export(api, status=200).data["task_id"] == task_id
    membership = Membership.objects.filter(project=plan.project, user=member)
    if change == "added":
        Membership.objects.create(project=plan.project, user=stranger)
    elif change == "removed":
        membership.delete()
    elif change == "exchanged":
        membership.update(user=stranger)
    else:
        User.objects.filter(pk=member.pk).update(username="newname")
    expected = {"added": "member owner stranger", "removed": "owner", "exchanged": "owner stranger"}
    assert csv_of(api)[0]["members"] == expected.get(change, "newname owner")


def test_people_who_change_places_make_a_new_export(maintainer, client_of, owner, member):
    first, second = factories.project(owner), factories.project(member)
    client = client_of(maintainer)
    export(client)
    Membership.objects.filter(project=first).update(user=member)
    Membership.objects.filter(project=second).update(user=owner)
    assert [row["members"] for row in csv_of(client)] == ["member", "owner"]


def test_the_team_of_a_project_that_somebody_cannot_see_makes_no_new_export(api, plan, stranger):
    export(api)
    factories.project(stranger, business_area=plan.project.business_area)
    export(api, status=200)


def test_an_export_whose_file_is_gone_is_made_again(api, plan):
    storage.delete(Task.objects.get(pk=export(api).data["task_id"]).file)
    export(api, status=201)


@pytest.mark.parametrize("text", [*HOSTILE, *ODD])
def test_hostile_and_odd_texts_are_texts(api, owner, text):
    factories.project(owner, title=text)
    [row] = csv_of(api)
    assert not re.match(r"[=+\-@\t\r＝＋－＠]", row["title"])
    assert spreadsheets.unescape_formula(row["title"]) == text
    [row] = xlsx_of(api)
    assert row["title"].replace("_x005F", "") == text
    [row] = jsonl_of(api)
    assert row["title"] == text


@given(st.text())
def test_what_was_defused_is_restored(text):
    defused = spreadsheets.escape_formula(text)
    assert spreadsheets.unescape_formula(defused) == text
    assert not re.match(r"[=+\-@\t\r\n＝＋－＠]", defused)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5))
def test_a_csv_of_anything_is_read_back(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    with writers.open_csv(path, ["a"], lambda: None) as write:
        for text in texts:
            write({"a": text})
    with path.open(encoding="utf-8-sig", newline="") as stream:
        head, *rows = csv.reader(stream)
    assert head == ["a"]
    assert [spreadsheets.unescape_formula(row[0]) if row else "" for row in rows] == texts


def test_a_text_that_is_too_long_for_a_cell_is_left_out_and_named(api, plan):
    plan.sections["aims"] = factories.long_text(100)
    plan.save(update_fields=["sections"])
    task = export(api, what="documents", form="xlsx").data
    assert f"{plan.project.tag} concept_plan 2026 aims" in task["message"]
    [row] = csv_of(api, what="documents")
    assert row["aims"] == plan.sections["aims"]


def test_a_large_export_goes_to_the_queue_by_its_estimate(api, plan, settings, monkeypatch):
    settings.SPMS_INLINE_DEADLINE = 30.0
    settings.SPMS_MODE = "auto"
    monkeypatch.setattr(spec, "estimate_seconds", lambda *_: 60.0)
    Cluster.objects.create(name="host:1:a", workers=1)
    task = export(api, status=202).data
    assert (task["mode"], task["routed_by"]) == ("queue", "estimate")
    task = made_now(api, task["task_id"])
    assert (task["status"], task["result"]["rows"]) == ("succeeded", 1)
    assert b"SP-2026" in content_of(api, task)


def test_one_that_waits_is_joined_cancelled_and_retried(api, plan):
    task_id = later(api)
    assert later(api) == task_id
    assert api.post(f"/api/v1/tasks/{task_id}/cancel/").data["status"] == "cancelled"
    assert api.post(f"/api/v1/tasks/{task_id}/retry/").data["result"]["rows"] == 1


def test_cancelling_one_that_runs_stops_it(api, owner, monkeypatch):
    for _ in range(5):
        factories.project(owner)
    monkeypatch.setattr(export_task, "ROWS_PER_CHECK", 1)
    monkeypatch.setattr("documents.queue.progress.LEASE_CHECK_SECONDS", 0.0)
    events = []

    def cancelled_at_the_third(*_):
        for number in range(10):
            if number == 3:
                events.append(api.post(f"/api/v1/tasks/{task_id}/cancel/").status_code)
            yield {"tag": "x", "kind": "x", "year": 2026}
            events.append(number)

    monkeypatch.setattr(rows, "iter_records", cancelled_at_the_third)
    task_id = later(api, form="xlsx")
    assert made_now(api, task_id)["status"] == "cancelled"
    assert events[-1] == 200


def test_one_that_takes_too_long_says_what_to_do(api, plan, settings, monkeypatch):
    task_id = later(api)
    settings.SPMS_RENDER_TIMEOUT = -1.0
    task = made_now(api, task_id)
    assert (task["status"], task["error"]["type"]) == ("failed", "urn:spms:problem:export-too-large")
    assert "Narrow the filter" in task["error"]["detail"]


def test_a_sheet_has_an_end(api, plan, monkeypatch):
    monkeypatch.setattr(writers, "MAX_XLSX_ROWS", 0)
    problem_of(api.post(URL, {"what": "projects", "format": "xlsx"}), 422, "export-too-large")


def test_the_newest_changes_are_in_although_they_came_while_it_waited(api, plan):
    task_id = later(api, what="documents")
    plan.sections["aims"] = "<p>Newer.</p>"
    plan.save()
    assert b"Newer" in content_of(api, made_now(api, task_id))
    assert export(api, what="documents", status=200).data["task_id"] == task_id


def test_lists_of_tasks_can_be_of_exports_only(api, plan):
    task_id = export(api).data["task_id"]
    api.post(f"/api/v1/documents/{plan.pk}/pdf/")
    tasks = api.get("/api/v1/tasks/?kind=export").data["results"]
    assert [task["task_id"] for task in tasks] == [task_id]


def test_an_export_is_read_in_few_questions(owner, django_assert_max_num_queries):
    area = BusinessArea.objects.create(name="Marine")
    for _ in range(30):
        factories.document(project=factories.project(owner, business_area=area))
    chosen = spec.parse(what="documents", format="csv", filters={})
    with django_assert_max_num_queries(3):
        assert len(list(rows.iter_records(chosen, rows.ids_for(chosen, owner)))) == 30
    chosen = spec.parse(what="projects", format="csv", filters={})
    with django_assert_max_num_queries(3):
        assert {
            *map(str, (row["members"] for row in rows.iter_records(chosen, rows.ids_for(chosen, owner))))
        } == {"['owner']"}


def test_a_notice_tells_of_its_end(api, plan):
    task_id = export(api, notify=True).data["task_id"]
    assert api.get(f"/api/v1/tasks/{task_id}/notices/").data[0]["channel"] == "mail"
