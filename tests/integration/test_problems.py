"""Whatever goes wrong, the answer is a problem with a stable type."""

import pytest

from documents.models import Task


def problem_of(answer, status):
    assert answer.status_code == status, answer.content[:300]
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:spms:problem:")
    assert problem["title"]
    assert problem["detail"]
    return problem


def test_unknown_addresses_are_problems(api):
    problem_of(api.get("/api/v1/nothing/"), 404)
    problem_of(api.get("/api/v1/documents/999999/"), 404)
    problem_of(api.get("/api/v1/documents/nine/"), 404)
    problem_of(api.get("/api/v1/tasks/no-task/"), 404)
    problem_of(api.get("/nothing"), 404)


def test_people_get_a_page_for_an_unknown_address(client):
    assert client.get("/nothing", headers={"Accept": "text/html"})["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("body", ["{", '{"sections": }', "\0", "nul", '{"a": NaN', "[" * 100_000])
def test_broken_json_is_a_problem_on_every_call_that_takes_a_body(api, plan, body):
    places = ("documents/", f"documents/{plan.pk}/pdf/", "projects/", "feedback/", "auth/token/")
    for address in [f"/api/v1/{place}" for place in places]:
        answer = api.post(address, body, content_type="application/json")
        assert answer.status_code in {400, 403, 413}, (address, answer.content[:200])
        problem_of(answer, answer.status_code)


@pytest.mark.parametrize("body", ["[]", "5", '"text"', "null", '{"force": true}'])
def test_a_body_of_a_wrong_shape_is_a_problem(api, plan, body):
    answer = api.post("/api/v1/documents/", body, content_type="application/json")
    problem_of(answer, 400)


def test_other_methods_and_media_types_are_problems(api, plan):
    assert problem_of(api.put(f"/api/v1/documents/{plan.pk}/", {}), 405)["type"].endswith(
        "method-not-allowed"
    )
    answer = api.post("/api/v1/documents/", "kind=x", content_type="application/x-www-form-urlencoded")
    assert problem_of(answer, 415)["type"].endswith("unsupported-media-type")


def test_a_body_of_100_megabytes_is_refused_unread(api, settings):
    answer = api.generic("POST", "/api/v1/documents/", b"", CONTENT_LENGTH=str(100_000_000))
    assert problem_of(answer, 413)["type"].endswith("body-too-large")


def test_a_body_in_chunks_is_refused_unread(api):
    answer = api.generic("POST", "/api/v1/documents/", b"", HTTP_TRANSFER_ENCODING="chunked")
    assert problem_of(answer, 411)["type"].endswith("length-required")


def test_whatever_is_accepted_the_answer_is_json(api, plan):
    for accept in ("application/pdf", "text/html", "image/png;q=0.1"):
        answer = api.get(f"/api/v1/documents/{plan.pk}/", headers={"Accept": accept})
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")


def test_a_host_that_is_not_ours_is_a_problem(client):
    problem_of(client.get("/api/v1/documents/", headers={"Host": "evil.example.org"}), 400)


def test_the_name_of_the_schemas_file_is_ours(client):
    answer = client.get("/api/schema/", {"version": "\0", "lang": "zz"})
    assert (answer.status_code, answer["Content-Disposition"]) == (200, 'inline; filename="SPMS.yaml"')


def test_the_schema_and_its_page_are_there(client):
    assert b"/api/v1/documents/{id}/pdf/" in client.get("/api/schema/").content
    page = client.get("/api/docs/").content.decode()
    assert "https://" not in page  # nothing is fetched from elsewhere


def test_the_page_of_the_schema_answers_to_reading_only(client):
    for method in ("OPTIONS", "POST", "TRACE"):
        assert client.generic(method, "/api/docs/").status_code == 405


@pytest.mark.parametrize("text", ["", "yes", "on", "2", "truee"])
def test_a_wrong_boolean_parameter_is_a_problem_that_says_what_to_send(api, plan, text):
    problem = problem_of(api.post(f"/api/v1/documents/{plan.pk}/pdf/?force={text}"), 400)
    assert problem["errors"] == [{"pointer": "#/force", "detail": "Send true or false."}]


@pytest.mark.parametrize("text", ["", "61", "-1", "1.0", "5s", "٣", "9" * 2000])
def test_a_wrong_wait_is_a_problem_that_says_what_to_send(api, plan, owner, text):
    task = Task.objects.create(kind="pdf", fingerprint="a", document=plan, requested_by=owner)
    problem = problem_of(api.get(f"/api/v1/tasks/{task.pk}/?wait={text}"), 400)
    detail = "Send a whole number of seconds from 0 to 60."
    assert problem["errors"] == [{"pointer": "#/wait", "detail": detail}]


@pytest.mark.parametrize(
    ("query", "slug", "detail"),
    [
        ("task=7", "validation-error", "task: Send the id of a task."),
        ("task=", "validation-error", "task: Send the id of a task."),
        ("variant=pdf", "edition-unknown", "For variant send one of: pdf/ua-1, pdf/a-3a."),
        ("reports=all", "edition-unknown", "Only an annual report contains reports"),
        ("division=%00", "validation-error", "division: Null characters are not allowed."),
    ],
)
def test_a_wrong_parameter_of_a_pdf_is_a_problem_that_says_what_to_send(api, plan, query, slug, detail):
    problem = problem_of(api.get(f"/api/v1/documents/{plan.pk}/pdf/?{query}"), 400)
    assert problem["type"] == f"urn:spms:problem:{slug}"
    assert problem["detail"].startswith(detail)
