"""The pages of everybody: each sees what they may see, whatever people have written."""

import uuid

import pytest
from django.test import Client
from django.utils import timezone

from documents.models import Task, document_types
from documents.tasks.pdf import task as pdf_task
from tests import factories

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"


def text(client, path="/", **query):
    answer = client.get(path, query)
    assert answer.status_code == 200
    return answer.content.decode()


def page_of(document):
    return f"/documents/{document.pk}/"


def create_task(document, **values):
    result = {"pages": 3, "bytes": 2048, "seconds": 0.4, "version": 1, "warnings": []}
    usual = {"status": "succeeded", "result": result, "finished_at": timezone.now()}
    usual |= {"fingerprint": uuid.uuid4().hex}
    return Task.objects.create(kind="pdf", document=document, **(usual | values))


def test_who_is_not_signed_in_is_asked_to(client, plan):
    for path in ("/", page_of(plan), f"{page_of(plan)}made/"):
        assert client.get(path)["Location"] == f"/login/?next={path}"


def test_signing_in_leads_back_to_the_page(client, owner, plan):
    values = {"username": "owner", "password": "a sample password"}
    assert client.post(f"/login/?next={page_of(plan)}", values | {"next": page_of(plan)})[
        "Location"
    ] == page_of(plan)
    client.post("/logout/")
    assert "do not fit together" in client.post("/login/", values | {"password": "x"}).content.decode()


@pytest.mark.parametrize("elsewhere", ["https://evil.example.org/", "//evil.example.org/"])
def test_signing_in_leads_nowhere_else(client, owner, elsewhere):
    values = {"username": "owner", "password": "a sample password", "next": elsewhere}
    assert client.post("/login/", values)["Location"] == "/"


def test_members_and_staff_see_a_document_and_others_do_not(
    client, plan, owner, member, maintainer, stranger
):
    for person in (owner, member, maintainer):
        client.force_login(person)
        assert plan.project.title in text(client)
        assert "Generate PDF" in text(client, page_of(plan))
    client.force_login(stranger)
    assert "once you are a member" in text(client)
    for path in (page_of(plan), f"{page_of(plan)}made/", "/documents/999999/"):
        answer = client.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 404
        assert "There is nothing here" in answer.content.decode()


def test_documents_are_searched_filtered_and_paged(client, owner):
    project = factories.project(owner, title="Seagrass of the north")
    for year in range(1990, 2020):
        factories.document(project=project, kind="progress_report", year=year)
    plan = factories.document(owner)
    client.force_login(owner)
    assert text(client).count("<li>") == 25
    assert text(client, page=2).count("<li>") == 6
    assert text(client, "/documents/list/", page=2).count("<li>") == 6
    assert plan.project is not None
    assert text(client, q=plan.project.tag).count("<li>") == 1
    assert text(client, kind="concept_plan").count("<li>") == 1
    assert text(client, year=1999).count("<li>") == 1
    assert "No documents match" in text(client, q="nothing like it")
    assert "The year is a number" in text(client, year="soon")
    grouped = text(client, group="project", page=2)
    assert grouped.index(plan.project.tag) > grouped.index(project.title)
    for query in ({"kind": "no kind"}, {"page": "x"}, {"q": "\x00"}, {"group": "colour"}):
        assert text(client, **query).count("<li>") == 25


def test_versions_and_a_missing_present_one_are_shown(client, owner, plan):
    client.force_login(owner)
    assert "No PDF yet" in text(client, page_of(plan))
    done = create_task(plan)
    said = text(client, page_of(plan))
    assert "changed since its last PDF" in said
    assert f"?task={done.pk}" in said
    assert "3 pages" in said


@pytest.mark.parametrize(
    ("status", "advice"), [(422, "Change the document"), (500, "if it fails again, tell us")]
)
def test_what_went_wrong_is_said_with_what_to_do(client, owner, plan, status, advice):
    error = {"type": "x", "title": "This document cannot be laid out", "status": status, "detail": HOSTILE}
    fingerprint = pdf_task.fingerprint(plan)
    create_task(plan, status="failed", error=error, result=None, fingerprint=fingerprint)
    client.force_login(owner)
    said = text(client, page_of(plan))
    assert advice in said
    assert HOSTILE not in said


def test_a_task_in_flight_is_known_to_the_page(client, owner, plan):
    task = create_task(plan, status="running", finished_at=None, result=None)
    client.force_login(owner)
    assert f'data-task="/api/v1/tasks/{task.pk}/"' in text(client, page_of(plan))


def test_an_annual_report_has_a_page_too(client, maintainer):
    report = factories.document(kind=document_types.ANNUAL_REPORT.key)
    client.force_login(maintainer)
    assert "The whole agency" in text(client, page_of(report))


@pytest.mark.django_db(transaction=True)
def test_a_pdf_may_be_framed_by_our_own_pages_only(api, plan):
    api.post(f"/api/v1/documents/{plan.pk}/pdf/")
    sent = api.get(f"/api/v1/documents/{plan.pk}/pdf/")
    again = api.get(f"/api/v1/documents/{plan.pk}/pdf/", headers={"If-None-Match": sent["ETag"]})
    sent.close()
    assert again.status_code == 304
    for answer in (sent, again):
        assert answer["X-Frame-Options"] == "SAMEORIGIN"
        assert "frame-ancestors 'self'" in answer["Content-Security-Policy"]
    assert api.get("/api/v1/documents/")["X-Frame-Options"] == "DENY"


def test_a_form_that_was_open_for_too_long_says_so(owner, client):
    strict = Client(enforce_csrf_checks=True)
    answer = strict.post("/login/", {"username": "owner"}, headers={"Accept": "text/html"})
    assert answer.status_code == 403
    assert "open for too long" in answer.content.decode()


def test_an_error_page_needs_nothing(client, monkeypatch, owner):
    client.raise_request_exception = False
    client.force_login(owner)

    def broken(request, filters):
        raise RuntimeError("no luck")

    monkeypatch.setattr("documents.pages.document_list._documents", broken)
    answer = client.get("/", headers={"Accept": "text/html"})
    assert answer.status_code == 500
    assert "Nothing of yours is lost" in answer.content.decode()
