"""Changes from an old version are refused, by ETag or by version, and a client keeps what it has."""

import pytest

from tests import factories


@pytest.fixture
def staff(maintainer, client_of):
    return client_of(maintainer)


@pytest.fixture(params=["documents", "projects"])
def row(request, plan):
    """The address of a document and of a project."""
    return f"/api/v1/{request.param}/{plan.pk if request.param == 'documents' else plan.project_id}/"


def etag_of(client, row):
    return client.get(row)["ETag"]


def change(client, row, value, **headers):
    body = {"year": value}
    return client.patch(row, body, headers={name.replace("_", "-"): text for name, text in headers.items()})


def test_every_answer_has_the_etag_that_a_get_has(staff, row):
    before = etag_of(staff, row)
    changed = change(staff, row, 2020)
    assert before.startswith('"1-')
    assert changed["ETag"].startswith('"2-')
    assert changed["ETag"] == etag_of(staff, row) != before
    assert staff.head(row)["ETag"] == changed["ETag"]


def test_a_new_one_has_its_etag_at_once(staff, owner):
    project = factories.project(owner)
    values = {"kind": "concept_plan", "year": 2026, "project": project.pk}
    made = staff.post("/api/v1/documents/", values)
    assert made["ETag"] == etag_of(staff, f"/api/v1/documents/{made.data['id']}/")
    area = project.business_area_id
    values = {"title": "Reefs", "tag": "SP-2026-900", "year": 2026, "business_area": area}
    made = staff.post("/api/v1/projects/", values)
    assert made["ETag"] == etag_of(staff, f"/api/v1/projects/{made.data['id']}/")


def test_the_second_of_two_changes_from_one_version_is_refused_and_told_what_changed(staff, row):
    etag = etag_of(staff, row)
    assert change(staff, row, 2020, If_Match=etag).status_code == 200
    refused = change(staff, row, 2021, If_Match=etag)
    problem = refused.json()
    assert (refused.status_code, problem["type"]) == (412, "urn:spms:problem:precondition-failed")
    assert problem["version"] == 2
    assert [(c["version"], c["by"], c["changed"]) for c in problem["changes"]] == [
        (2, "maintainer", ["year"])
    ]
    assert "maintainer: year" in problem["detail"]
    assert staff.get(row).data["year"] == 2020


def test_an_old_version_in_the_body_is_a_conflict_and_the_present_one_is_not(staff, row):
    assert staff.patch(row, {"year": 2020, "version": 1}).status_code == 200
    refused = staff.patch(row, {"year": 2021, "version": 1})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:spms:problem:version-conflict")
    assert refused.json()["changes"][0]["changed"] == ["year"]
    assert staff.patch(row, {"year": 2021, "version": 2}).data["version"] == 3
    assert staff.patch(row, {"year": 2022, "version": 9}).status_code == 409
    assert staff.patch(row, {"year": 2022, "version": "3"}).status_code == 400


def test_without_either_it_is_as_before(staff, row):
    assert [change(staff, row, year).status_code for year in (2020, 2021)] == [200, 200]
    assert staff.get(row).data["version"] == 3


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("{etag}", 200),
        ("*", 200),
        (" * ", 200),
        ('"another", {etag}', 200),
        (',"a,b" ,\t{etag},', 200),
        ('"another"', 412),
        ('"1-0"', 412),
        ("W/{etag}", 412),
        ('""', 412),
        ("{bare}", 400),
        ("1", 400),
        ("", 400),
        ("*, {etag}", 400),
        ("w/{etag}", 400),
        ('{etag} "b"', 400),
        ('"a', 400),
        ('"a b"', 400),
        ('"' + "a" * 5_000 + '"', 400),
    ],
)
def test_if_match_is_a_list_of_strong_etags_or_a_star(staff, row, header, status):
    etag = etag_of(staff, row)
    answer = change(staff, row, 2020, If_Match=header.format(etag=etag, bare=etag.strip('"')))
    assert answer.status_code == status
    assert staff.get(row).data["year"] == (2020 if status == 200 else 2026)
    if status == 400:
        assert "with its quotes" in answer.json()["detail"]
    if header.startswith("W/"):
        assert "without W/" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("header", "status"),
    [("{etag}", 304), ("W/{etag}", 304), ('"a", W/{etag}', 304), ("*", 304), ('"a"', 200), ("a", 200)],
)
def test_what_the_client_has_is_not_sent_again(staff, row, header, status):
    etag = etag_of(staff, row)
    for send in (staff.get, staff.head):
        answer = send(row, headers={"If-None-Match": header.format(etag=etag)})
        assert answer.status_code == status
        assert status != 304 or (answer["ETag"], answer.content) == (etag, b"")


def test_a_change_may_not_be_bound_to_not_being_there(staff, row):
    assert change(staff, row, 2020, If_None_Match="*").status_code == 412
    assert change(staff, row, 2020, If_None_Match='"other"').status_code == 200


def test_a_deletion_can_be_bound_to_a_version(staff, plan):
    row = f"/api/v1/documents/{plan.pk}/"
    etag = etag_of(staff, row)
    change(staff, row, 2020)
    assert staff.delete(row, headers={"If-Match": etag}).status_code == 412
    assert staff.delete(row, headers={"If-Match": etag_of(staff, row)}).status_code == 204


def test_rights_and_missing_rows_come_before_conditions_and_these_before_the_body(staff, api, row, plan):
    assert api.patch("/api/v1/documents/999999/", {}, headers={"If-Match": '"x"'}).status_code == 404
    refused = api.patch(f"/api/v1/projects/{plan.project_id}/", {}, headers={"If-Match": '"x"'})
    assert refused.status_code == 403
    assert staff.patch(row, {"year": "x"}, headers={"If-Match": '"x"'}).status_code == 412
    assert staff.patch(row, {"year": "x"}, headers={"If-Match": etag_of(staff, row)}).status_code == 400


def test_a_change_between_the_check_and_the_lock_is_refused_too(staff, plan, monkeypatch):
    row = f"/api/v1/documents/{plan.pk}/"
    etag = etag_of(staff, row)
    apply_changes = type(plan).apply_changes

    def be_late(document, values, **options):
        monkeypatch.undo()
        apply_changes(plan, {"status": "in_review"}, by="author")
        return apply_changes(document, values, **options)

    monkeypatch.setattr(type(plan), "apply_changes", be_late)
    refused = change(staff, row, 2020, If_Match=etag)
    assert (refused.status_code, refused.json()["changes"][0]["changed"]) == (412, ["status"])


def test_the_etag_of_a_project_follows_its_team_and_its_area(staff, plan):
    row = f"/api/v1/projects/{plan.project_id}/"
    etags = [etag_of(staff, row)]
    area = plan.project.business_area
    area.name = "Renamed"
    area.save(update_fields=["name"])
    etags.append(etag_of(staff, row))
    plan.project.memberships.all().delete()
    etags.append(etag_of(staff, row))
    assert len(set(etags)) == 3
    refused = change(staff, row, 2020, If_Match=etags[0])
    assert refused.status_code == 412


def test_a_change_of_the_team_in_the_admin_counts_a_version(client, maintainer, plan):
    client.force_login(maintainer)
    member = factories.user()
    project = plan.project
    names = ("title", "tag", "year", "kind", "status")
    fields = {name: getattr(project, name) for name in names} | {"business_area": project.business_area_id}
    inline = {
        "TOTAL_FORMS": 1,
        "INITIAL_FORMS": 0,
        "0-user": member.pk,
        "0-role": "scientist",
        "0-position": 3,
    }
    inline = {f"memberships-{name}": value for name, value in inline.items()}
    answer = client.post(f"/admin/documents/project/{project.pk}/change/", fields | inline)
    assert answer.status_code == 302
    recorded = project.changes.get()
    assert (recorded.changed, recorded.version, recorded.by) == (["team"], 2, "maintainer")
