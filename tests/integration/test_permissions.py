"""Members and staff reach a document; for others it does not exist."""

import pytest

from documents.api.throttling import UserWindowThrottle
from documents.models import Document, Task
from tests import factories

READABLE = ("/api/v1/documents/{d}/", "/api/v1/projects/{p}/", "/api/v1/documents/{d}/images/")
WRITABLE = (
    ("patch", "/api/v1/documents/{d}/"),
    ("post", "/api/v1/documents/{d}/pdf/"),
    ("post", "/api/v1/documents/{d}/images/"),
    ("delete", "/api/v1/documents/{d}/"),
)


def addresses(templates, plan):
    return [template.format(d=plan.pk, p=plan.project_id) for template in templates]


def test_members_and_staff_read_a_document(plan, owner, member, maintainer, client_of):
    for user in (owner, member, maintainer):
        for address in addresses(READABLE, plan):
            assert client_of(user).get(address).status_code == 200, (user, address)


def test_for_a_stranger_a_document_does_not_exist(plan, stranger, client_of):
    client = client_of(stranger)
    for address in addresses(READABLE, plan):
        assert client.get(address).status_code == 404
    for method, template in WRITABLE:
        [address] = addresses([template], plan)
        assert getattr(client, method)(address, {}).status_code in {404, 415}, address
        assert getattr(client, method)(address.replace(str(plan.pk), "999999"), {}).status_code in {404, 415}
    assert client.get(f"/api/v1/documents/{plan.pk}/pdf/").status_code == 404
    assert client.get("/api/v1/documents/").data["count"] == 0
    assert client.get("/api/v1/projects/").data["count"] == 0


def test_somebody_who_is_not_signed_in_gets_401(plan, client):
    for address in addresses(READABLE, plan):
        answer = client.get(address)
        assert answer.status_code == 401
        assert answer["Content-Type"] == "application/problem+json"
        assert answer["WWW-Authenticate"] == "Token"


def test_an_image_is_for_readers_of_its_document(plan, owner, stranger, client_of):
    url = factories.image(plan).url
    answer = client_of(owner).get(url)
    assert (answer["Content-Type"], b"".join(answer.streaming_content)[:4]) == ("image/png", b"\x89PNG")
    assert client_of(stranger).get(url).status_code == 404


def test_a_task_is_for_who_asked_and_for_readers_of_its_document(plan, owner, member, stranger, client_of):
    task = Task.objects.create(kind="pdf", document=plan, requested_by=owner, fingerprint="f")
    for user, status in ((owner, 200), (member, 200), (stranger, 404)):
        assert client_of(user).get(task.get_absolute_url()).status_code == status


def test_only_staff_change_projects(plan, owner, maintainer, client_of):
    address = f"/api/v1/projects/{plan.project_id}/"
    assert client_of(owner).patch(address, {"title": "Mine"}).status_code == 403
    assert client_of(maintainer).patch(address, {"title": "Theirs"}).data["title"] == "Theirs"


def test_only_staff_delete_documents(plan, owner, maintainer, client_of):
    assert client_of(owner).delete(f"/api/v1/documents/{plan.pk}/").status_code == 403
    assert client_of(maintainer).delete(f"/api/v1/documents/{plan.pk}/").status_code == 204
    assert not Document.objects.filter(pk=plan.pk).exists()


@pytest.mark.parametrize("change", [{"status": "approved"}, {"approvals": {"directorate": True}}])
def test_only_staff_approve(plan, owner, maintainer, client_of, change):
    address = f"/api/v1/documents/{plan.pk}/"
    refused = client_of(owner).patch(address, change)
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:spms:problem:permission-denied")
    assert client_of(maintainer).patch(address, change).status_code == 200


def test_annual_reports_are_for_staff(owner, maintainer, client_of):
    values = {"kind": "annual_report", "year": 2026}
    assert client_of(owner).post("/api/v1/documents/", values).status_code == 403
    answer = client_of(maintainer).post("/api/v1/documents/", values)
    assert answer.status_code == 201
    assert client_of(owner).get(f"/api/v1/documents/{answer.data['id']}/").status_code == 404


def test_a_document_cannot_be_put_into_a_project_of_others(plan, stranger, client_of):
    values = {"kind": "project_plan", "year": 2026, "project": plan.project_id}
    assert client_of(stranger).post("/api/v1/documents/", values).status_code == 400


def test_a_token_is_given_for_name_and_password(owner, client):
    answer = client.post("/api/v1/auth/token/", {"username": "owner", "password": "a sample password"})
    assert answer.status_code == 200
    token = answer.json()["token"]
    assert client.get("/api/v1/documents/", headers={"Authorization": f"Token {token}"}).status_code == 200
    wrong = client.post("/api/v1/auth/token/", {"username": "owner", "password": "wrong"})
    assert (wrong.status_code, wrong["Content-Type"]) == (400, "application/problem+json")


def test_a_session_works_too(owner, plan, client):
    client.post("/login/", {"username": "owner", "password": "a sample password"})
    assert client.get(f"/api/v1/documents/{plan.pk}/").status_code == 200


@pytest.mark.parametrize("authorization", ["", "Token unknown", "stranger"])
def test_events_refuse_the_same_people_as_the_task_in_the_same_words(
    plan, owner, stranger, client, authorization
):
    if authorization == "stranger":
        client.force_login(stranger)
    headers = {"Authorization": authorization} if "Token" in authorization else {}
    task = Task.objects.create(kind="pdf", fingerprint="a", document=plan, requested_by=owner)
    for_task, for_events = (
        client.get(f"/api/v1/tasks/{task.pk}/{path}", headers=headers) for path in ("", "events/")
    )
    assert for_task.status_code in {401, 404}
    assert (for_events.status_code, for_events.json()) == (for_task.status_code, for_task.json())
    for name in ("Content-Type", "WWW-Authenticate"):
        assert for_events.headers.get(name) == for_task.headers.get(name)


def test_events_count_as_requests_of_their_user(plan, owner, client, monkeypatch, same_window):
    monkeypatch.setattr(UserWindowThrottle, "rate", "1/hour", raising=False)
    client.force_login(owner)
    task = Task.objects.create(kind="pdf", fingerprint="a", document=plan, requested_by=owner)
    statuses = [client.get(f"/api/v1/tasks/{task.pk}/events/").status_code for _ in range(2)]
    assert statuses == [501, 429]
