"""Who fails to sign in too often has to wait; who makes too many requests, too."""

import uuid
from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.password_validation import validate_password
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token

from documents.api.throttling import ExpensiveThrottle, UserWindowThrottle
from spms.middleware import client_address

PASSWORD = "a sample password"


@pytest.fixture(autouse=True)
def _three_failures(settings):
    settings.AXES_FAILURE_LIMIT = 3


def token(client, password, address="192.0.2.1"):
    values = {"username": "owner", "password": password}
    return client.post("/api/v1/auth/token/", values, REMOTE_ADDR=address)


def test_after_some_failures_even_the_right_password_waits(owner, client):
    assert [token(client, "wrong").status_code for _ in range(3)] == [400, 400, 429]
    refused = token(client, PASSWORD)
    assert (refused.status_code, refused["Retry-After"]) == (429, "900")
    assert refused["Content-Type"] == "application/problem+json"
    assert refused.json()["type"] == "urn:spms:problem:locked-out"
    assert "15 minutes" in refused.json()["detail"]


def test_the_page_to_sign_in_says_so_too(owner, client):
    for _ in range(4):
        values = {"username": "owner", "password": "wrong"}
        page = client.post("/login/", values, headers={"Accept": "text/html"})
    assert page.status_code == 429
    assert "failed too often" in page.content.decode()


def test_the_same_person_elsewhere_may_sign_in(owner, client):
    for _ in range(4):
        token(client, "wrong")
    assert token(client, PASSWORD, address="192.0.2.2").status_code == 200


def test_a_success_wipes_the_failures(owner, client):
    for _ in range(3):
        assert token(client, "wrong").status_code == 400
        assert token(client, PASSWORD).status_code == 200


def test_an_old_token_that_comes_along_does_not_matter(owner, client):
    values = {"username": "owner", "password": PASSWORD}
    answer = client.post("/api/v1/auth/token/", values, headers={"Authorization": "Token 0123"})
    assert answer.status_code == 200


def test_nobody_hears_which_names_exist(owner, client):
    answers = [
        client.post("/api/v1/auth/token/", {"username": name, "password": "wrong"})
        for name in ("owner", "not-there")
    ]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize(
    "place",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "///evil.example"],
)
def test_signing_in_leads_to_no_other_site(owner, client, place):
    answer = client.post("/login/", {"username": "owner", "password": PASSWORD, "next": place})
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_a_token_in_the_address_is_none(owner, client):
    answer = client.get("/api/v1/documents/", {"token": Token.objects.create(user=owner).key})
    assert answer.status_code == 401


@pytest.mark.parametrize("origin", [None, "https://evil.example"])
def test_a_session_writes_with_its_csrf_token_from_this_site_only(owner, origin):
    client = Client(enforce_csrf_checks=True)
    client.get("/login/")
    client.force_login(owner)
    headers = {"X-CSRFToken": client.cookies["csrftoken"].value, "Origin": origin} if origin else {}
    answer = client.post(
        "/api/v1/feedback/", {"kind": "praise"}, content_type="application/json", headers=headers
    )
    assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json")
    for page in ("/login/", "/logout/", "/admin/login/"):
        assert client.post(page, {"username": "owner", "password": PASSWORD}).status_code == 403


def test_the_wait_is_over_after_a_while(owner, client):
    for _ in range(4):
        token(client, "wrong")
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
    assert token(client, PASSWORD).status_code == 200


def test_passwords_are_not_kept_with_the_failures(owner, client):
    token(client, "wrong but secret")
    attempt = AccessAttempt.objects.get()
    assert "secret" not in attempt.post_data + attempt.get_data


@pytest.mark.parametrize("proxies", [0, 1])
def test_an_address_is_believed_only_from_our_own_proxies(owner, client, settings, proxies):
    settings.SPMS_TRUSTED_PROXIES = proxies
    for number in range(4):
        client.post(
            "/api/v1/auth/token/",
            {"username": "owner", "password": "wrong"},
            headers={"X-Forwarded-For": f"198.51.100.{number}, 203.0.113.9"},
            REMOTE_ADDR="192.0.2.1",
        )
    assert AccessAttempt.objects.get().ip_address == ("203.0.113.9" if proxies else "192.0.2.1")


@pytest.mark.parametrize(
    ("remote", "forwarded", "expected"),
    [
        ("192.0.2.1", "unknown", "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9:4711", "192.0.2.1"),
        ("192.0.2.1", "fe80::1%eth0", "192.0.2.1"),
        ("", "2001:db8::9", "2001:db8::9"),
        ("", "unknown", "0.0.0.0"),
    ],
)
def test_what_is_no_address_is_never_taken_for_one(remote, forwarded, expected, rf, settings):
    settings.SPMS_TRUSTED_PROXIES = 1
    assert client_address(rf.get("/", REMOTE_ADDR=remote, headers={"X-Forwarded-For": forwarded})) == expected


def test_short_passwords_are_refused():
    with pytest.raises(ValidationError, match="12 characters"):
        validate_password("Tr0ub4dor&3")


@pytest.fixture
def rate(monkeypatch, same_window):
    cache.clear()
    monkeypatch.setattr(UserWindowThrottle, "THROTTLE_RATES", {"person": "3/h", "expensive": None})
    yield
    cache.clear()


def test_a_person_with_too_many_requests_is_told_to_wait(rate, owner, member, client_of):
    answers = [client_of(owner).get("/api/v1/documents/") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 0 < int(answers[-1]["Retry-After"]) <= 3601
    assert answers[-1]["Content-Type"] == "application/problem+json"
    assert client_of(member).get("/api/v1/documents/").status_code == 200


@pytest.fixture
def expensive_rate(monkeypatch, same_window):
    cache.clear()
    monkeypatch.setattr(ExpensiveThrottle, "THROTTLE_RATES", {"person": None, "expensive": "2/h"})
    yield
    cache.clear()


# What is expensive, and an equal request that is not.
EXPENSIVE = (
    ("/api/v1/documents/{d}/pdf/", "owner"),
    ("/api/v1/documents/{d}/images/", "owner"),
    ("/api/v1/exports/", "owner"),
    ("/api/v1/tasks/{t}/retry/", "owner"),
    ("/api/v1/imports/", "maintainer"),
    ("/api/v1/imports/{t}/apply/", "maintainer"),
    ("/api/v1/reports/1/run/", "maintainer"),
    ("/api/v1/cycles/", "maintainer"),
    ("/api/v1/cycles/1/resume/", "maintainer"),
    ("/api/v1/cycles/1/again/", "maintainer"),
    ("/api/v1/cycles/1/letters/1/again/", "maintainer"),
)


@pytest.mark.parametrize(("address", "person"), EXPENSIVE)
def test_what_is_expensive_is_limited_for_each_person(
    address, person, expensive_rate, plan, member, client_of, request
):
    client = client_of(request.getfixturevalue(person))
    path = address.format(d=plan.pk, t=uuid.uuid4())
    statuses = [client.post(path, {"unknown": "member"}).status_code for _ in range(2)]
    assert 429 not in statuses
    refused = client.post(path, {"unknown": "member"})
    assert (refused.status_code, refused["Content-Type"]) == (429, "application/problem+json")
    assert (refused.json()["status"], refused.json()["type"]) == (429, "urn:spms:problem:throttled")
    assert "2/h" in refused.json()["detail"]
    assert 0 < int(refused["Retry-After"]) <= 3601
    # All that is expensive counts together; nothing else does, and nobody else waits.
    assert client.post("/api/v1/exports/", {}).status_code == 429
    assert client.get("/api/v1/documents/").status_code == 200
    assert client.get(f"/api/v1/documents/{plan.pk}/images/").status_code == 200
    assert client_of(member).post("/api/v1/exports/", {}).status_code == 400


def test_the_cookie_of_a_session_is_not_for_scripts(owner, client):
    client.post("/login/", {"username": "owner", "password": PASSWORD})
    cookie = client.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


def test_a_deleted_token_is_void(owner, client):
    headers = {"Authorization": f"Token {Token.objects.create(user=owner).key}"}
    assert client.get("/api/v1/mode/", headers=headers).status_code == 200
    Token.objects.all().delete()
    assert client.get("/api/v1/mode/", headers=headers).status_code == 401
