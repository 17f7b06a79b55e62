"""Documents are created, listed and changed over the API."""

import pytest

from documents.models import Document, document_types
from tests import factories


def test_a_document_has_the_members_of_the_contract(api, plan):
    document = api.get(f"/api/v1/documents/{plan.pk}/").json()
    assert {"id", "project", "kind", "year", "title", "status", "sections"} <= set(document)
    assert document["title"] == "Concept Plan"


def test_a_patch_merges_sections_and_counts_the_version(api, plan):
    answer = api.patch(
        f"/api/v1/documents/{plan.pk}/", {"sections": {"aims": "<p>New.</p><script>x</script>"}}
    )
    assert answer.status_code == 200
    assert answer.data["sections"] == {
        "background": "<p>Seagrass meadows are nurseries.</p>",
        "aims": "<p>New.</p>",
    }
    assert answer.data["version"] == 2


def test_a_patch_that_changes_nothing_leaves_the_version(api, plan):
    answer = api.patch(f"/api/v1/documents/{plan.pk}/", {"sections": plan.sections, "year": plan.year})
    assert answer.data["version"] == 1


def test_a_patch_of_one_member_does_not_undo_a_change_made_meanwhile(api, plan, maintainer, client_of):
    Document.objects.filter(pk=plan.pk).update(directorate_approved=True)
    api.patch(f"/api/v1/documents/{plan.pk}/", {"status": "in_review"})
    plan.refresh_from_db()
    assert plan.directorate_approved


@pytest.mark.parametrize("kind", document_types.DOCUMENT_TYPES)
def test_every_kind_can_be_created_with_each_of_its_sections(kind, maintainer, client_of):
    sections = {key: f"<p>About {key}.</p>" for key in document_types.DOCUMENT_TYPES[kind].section_keys()}
    values = {"kind": kind, "year": 2026, "sections": sections}
    if document_types.DOCUMENT_TYPES[kind].has_project:
        values["project"] = factories.project().pk
    answer = client_of(maintainer).post("/api/v1/documents/", values)
    assert answer.status_code == 201, answer.data
    assert answer.data["sections"] == sections


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({"kind": "thesis"}, "#/kind"),
        ({"year": "soon"}, "#/year"),
        ({"year": 20260}, "#/year"),
        ({"status": "done"}, "#/status"),
        ({"sections": {"abstract": "<p>x</p>"}}, "#/sections"),
        ({"sections": {"aims": 5}}, "#/sections"),
        ({"sections": "text"}, "#/sections"),
        ({"sections": {"aims": "<div>" * 50_000}}, "#/sections"),
        ({"project": None}, "#/project"),
        ({"project": 999_999}, "#/project"),
        ({"colour": "green"}, "#/colour"),
        ({"approvals": {"director": True}}, "#/approvals"),
        ({"approvals": {"directorate": "yes"}}, "#/approvals"),
        ({"cover_image": "0b1c9bb4-5d0a-4c8b-9e8d-0a1b2c3d4e5f"}, "#/cover_image"),
    ],
)
def test_bad_values_get_a_problem_that_points_at_them(values, pointer, owner, api):
    project = factories.project(owner)
    answer = api.post(
        "/api/v1/documents/", {"kind": "concept_plan", "year": 2026, "project": project.pk} | values
    )
    problem = answer.json()
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert (problem["type"], problem["status"]) == ("urn:spms:problem:validation-error", 400)
    assert pointer in [error["pointer"] for error in problem["errors"]]
    assert "ErrorDetail" not in answer.content.decode()


def test_there_is_one_document_of_a_kind_and_year_in_a_project(api, plan):
    answer = api.post(
        "/api/v1/documents/", {"kind": "concept_plan", "year": 2026, "project": plan.project_id}
    )
    assert answer.status_code == 400
    assert "already" in answer.json()["detail"]


def test_there_is_one_annual_report_a_year(maintainer, client_of):
    client = client_of(maintainer)
    values = {"kind": "annual_report", "year": 2026}
    assert [client.post("/api/v1/documents/", values).status_code for _ in range(2)] == [201, 400]


def test_kind_and_project_of_a_document_stay(api, plan, owner):
    for change in ({"kind": "project_plan"}, {"project": factories.project(owner).pk}):
        assert api.patch(f"/api/v1/documents/{plan.pk}/", change).status_code == 400


def test_lists_come_in_pages_and_can_be_filtered(api, owner):
    project = factories.project(owner)
    for year in range(2001, 2031):
        factories.document(project=project, kind="progress_report", year=year)
    first = api.get("/api/v1/documents/", {"page_size": 10}).json()
    assert (first["count"], len(first["results"]), first["previous"]) == (30, 10, None)
    assert api.get(first["next"]).json()["previous"]
    assert len(api.get("/api/v1/documents/", {"page_size": 1000}).json()["results"]) == 30
    assert api.get("/api/v1/documents/", {"year": 2026}).json()["count"] == 1
    assert api.get("/api/v1/documents/", {"kind": "concept_plan"}).json()["count"] == 0
    assert api.get("/api/v1/documents/", {"project": project.pk, "status": "new"}).json()["count"] == 30
    assert api.get("/api/v1/projects/", {"tag": project.tag}).json()["count"] == 1


@pytest.mark.parametrize("query", ["year=soon", "kind=thesis", "project=mine", "status=done"])
def test_a_filter_that_cannot_be_is_an_error_not_an_empty_list(api, query):
    assert api.get(f"/api/v1/documents/?{query}").status_code == 400


def test_a_list_of_documents_costs_the_same_queries_for_any_length(api, owner, django_assert_max_num_queries):
    for year in range(2001, 2021):
        factories.document(owner, kind="progress_report", year=year)
    api.get("/api/v1/documents/")  # the first request of a while also records that its user is active
    with django_assert_max_num_queries(3):
        api.get("/api/v1/documents/")


@pytest.mark.parametrize(
    "query",
    [
        *("nonsense=1", "Kind=concept_plan", "page_size=0", "page_size=x", "page_size=", "page_size=-1"),
        *(
            "year=0.5",
            "year=nan",
            "project=x",
            "project=-1",
            "project=1e30",
            f"project={10**30}",
            "status=lost",
        ),
    ],
)
def test_a_list_refuses_what_it_cannot_filter_by(api, plan, query):
    answer = api.get(f"/api/v1/documents/?{query}")
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:spms:problem:validation-error")
    assert query.partition("=")[0] in answer.json()["detail"]


@pytest.mark.parametrize("number", ["0", "999999", str(2**63 - 1)])
def test_a_filter_does_not_tell_what_is_there(api, plan, number):
    for query in (
        f"documents/?project={number}",
        f"tasks/?document={number}",
        f"projects/?business_area={number}",
    ):
        assert api.get(f"/api/v1/{query}").json()["results"] == []


def test_one_document_has_no_filters(api, plan):
    assert api.get(f"/api/v1/documents/{plan.pk}/?kind=project_plan").status_code == 200
    assert api.get(f"/api/v1/documents/{plan.pk}/images/?kind=x").json() == []


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("documents/", {"kind": "concept_plan", "year": "2026"}, "year"),
        ("documents/", {"kind": "concept_plan", "year": True}, "year"),
        ("documents/{plan}/pdf/", {"notify": 0}, "notify"),
        ("documents/{plan}/pdf/", {"webhook": 5}, "webhook"),
        ("feedback/", {"kind": "praise", "text": 5}, "text"),
        ("feedback/", {"kind": "praise", "task": False}, "task"),
    ],
)
def test_a_value_of_another_type_is_refused(api, plan, path, body, name):
    answer = api.post(f"/api/v1/{path.format(plan=plan.pk)}", body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == f"#/{name}"


def test_a_filter_without_a_value_is_refused_unless_a_text_may_be_empty(api, plan):
    answer = api.get("/api/v1/documents/?status=&year=2026")
    assert answer.status_code == 400
    assert "Send a value, or leave it out." in answer.json()["detail"]
    assert api.get("/api/v1/projects/?tag=").status_code == 200
