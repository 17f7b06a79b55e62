"""A stranger stores and logs little, however much they send."""

import logging

import pytest
from axes.models import AccessAttempt

from spms import sign_in
from spms.logs import MAX_LINE_CHARACTERS, LineLengthFilter

PLACES = ("/api/v1/auth/token/", "/login/", "/admin/login/")
MAX_ROW_CHARACTERS = 2_000
# Around 24 MB for each attempt before it was bounded.
MEGABYTES_OF_NAME = "n" * 7_900_000


@pytest.fixture(autouse=True)
def _three_failures(settings):
    settings.AXES_FAILURE_LIMIT = 3


def characters_stored():
    return [
        sum(len(str(value)) for value in row.values() if value is not None)
        for row in AccessAttempt.objects.values()
    ]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "form", [{"username": MEGABYTES_OF_NAME}, {"username": "owner", "more": MEGABYTES_OF_NAME}]
)
def test_a_form_of_megabytes_is_refused_unread(owner, client, place, form):
    answer = client.post(place, form | {"password": "wrong"})
    assert (answer.status_code, answer["Content-Type"]) == (413, "application/problem+json")
    assert "at most 16,384" in answer.json()["detail"]
    assert not AccessAttempt.objects.exists()


@pytest.mark.parametrize("place", PLACES)
def test_a_name_that_nobody_has_is_refused_with_its_bound_and_counted(owner, client, place):
    statuses, texts = [], []
    for number in range(4):
        answer = client.post(
            place, {"username": f"{number}" * 9_000, "password": "wrong", "more": "x" * 3_000}
        )
        statuses.append(answer.status_code)
        texts.append(answer.content.decode())
    assert "at most 150 characters" in texts[0]
    assert statuses[-1] == 429
    assert AccessAttempt.objects.get().username == sign_in.LONG_NAME
    assert max(characters_stored()) < MAX_ROW_CHARACTERS


def test_nothing_of_a_request_is_stored_but_short_headers(owner, client):
    for number in range(8):
        client.post(
            f"/api/v1/auth/token/?q={'q' * 3_000}{number}",
            {"username": "owner", "password": "wrong", "more": "x" * 9_000},
            headers=dict.fromkeys(("User-Agent", "Accept", "X-Request-ID", "Cookie", "Referer"), "h" * 8000),
        )
    assert len(characters_stored()) == 1
    assert max(characters_stored()) < MAX_ROW_CHARACTERS


def test_a_locked_name_stores_nothing_more(owner, client):
    for number in range(20):
        client.post(
            "/api/v1/auth/token/",
            {"username": "owner", "password": "wrong"},
            headers={"User-Agent": f"browser {number}"},
        )
    assert AccessAttempt.objects.count() == 3


def test_unknown_methods_paths_and_queries_make_no_labels(db, client):
    def label_sets():
        response = client.get("/metrics", REMOTE_ADDR="127.0.0.1")
        assert response.status_code == 200
        return response.content.count(b"\n")

    def send(number):
        client.generic(f"METHOD{number}", f"/api/v1/nowhere{number}/?{number}")
        client.get(
            f"/nowhere{number}", headers={"User-Agent": f"u{number}", "X-Request-ID": f"request-{number}"}
        )

    send(0)
    before = label_sets()
    for number in range(1, 30):
        send(number)
    assert label_sets() - before < 60


def test_a_line_of_the_log_is_short(caplog):
    record = logging.LogRecord("spms", logging.INFO, "", 1, "%s asked for %s", ("x" * 99_999, "y"), None)
    assert LineLengthFilter().filter(record)
    assert len(record.getMessage()) == MAX_LINE_CHARACTERS + 1
