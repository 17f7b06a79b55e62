"""What no honest client sends, byte by byte to gunicorn: refused at once, and the next request is answered."""

import contextlib
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from documents.models import document_types
from tests.acceptance.system import System
from tests.waiting import promised

MEGABYTE = 1_000_000
PASSWORD = "sample-member-1"

pytestmark = pytest.mark.xdist_group("hostile requests")


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    limits = {"SPMS_API_THROTTLE_RATE": "40/h", "SPMS_LOGIN_FAILURES": "3", "SPMS_MAX_UPLOAD": "9M"}
    with System(
        tmp_path_factory.mktemp("hostile-requests"), SPMS_MODE="inline", **limits
    ).serving() as running:
        yield running


@pytest.fixture(scope="module")
def token(system):
    answer = requests.post(
        f"{system.address}/api/v1/auth/token/", json={"username": "member", "password": PASSWORD}, timeout=120
    )
    return answer.json()["token"]


@pytest.fixture
def send(system, token):
    """Return a function that sends a head and perhaps more, and returns the status line and all that follows."""

    def send(head, *more, method="POST", path="/api/v1/feedback/"):
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: 127.0.0.1:{system.port}",
            f"Authorization: Token {token}",
        ]
        with socket.create_connection(("127.0.0.1", system.port), timeout=120) as connection:
            connection.sendall("\r\n".join([*lines, *head, "", ""]).encode("latin-1"))
            try:
                for part in more:
                    connection.sendall(part)
            except OSError:
                pass  # it was refused before it was sent whole
            return connection.recv(65_536).decode("latin-1")

    yield send
    assert system.is_up()


JSON = "Content-Type: application/json"
CHUNKED = "Transfer-Encoding: chunked"


def test_a_body_is_refused_by_its_length_before_it_is_sent(send):
    answer = send([JSON, f"Content-Length: {100 * MEGABYTE}"])
    assert answer.startswith("HTTP/1.1 413 ")
    assert "application/problem+json" in answer
    upload = ["Content-Type: multipart/form-data; boundary=x", f"Content-Length: {10 * MEGABYTE}"]
    assert send(upload).startswith("HTTP/1.1 413 ")
    assert send([JSON, f"Content-Length: {'9' * 4000}"]).startswith("HTTP/1.1 413 ")


def test_a_body_of_unknown_length_is_refused_however_much_follows(send):
    megabyte = b"%x\r\n" % MEGABYTE + b" " * MEGABYTE + b"\r\n"
    for more in ([b"2\r\n{}\r\n0\r\n\r\n"], [megabyte] * 50):
        answer = send([JSON, CHUNKED], *more)
        assert answer.startswith("HTTP/1.1 411 ")
        assert "application/problem+json" in answer


@pytest.mark.parametrize(
    "head",
    [
        ["Content-Length: 4", CHUNKED],
        ["Content-Length: 4", "Content-Length: 5"],
        ["Content-Length: -4"],
        ["Content-Length: \xb2"],
        ["Transfer-Encoding: chunked, identity"],
        ["X-Name : value"],
    ],
)
def test_a_head_that_two_servers_might_read_differently_is_refused(send, head):
    assert send([JSON, *head], b"0\r\n\r\n").split()[1] in {"400", "501"}


@pytest.mark.parametrize(
    "path", ["/static/../../secret_key", "/static/%2e%2e/%2e%2e/secret_key", "/api/v1/%ff/"]
)
def test_no_path_leads_out_of_the_folder(send, path):
    assert send([], method="GET", path=path).startswith("HTTP/1.1 404 ")


def test_a_name_of_megabytes_leaves_the_database_as_it_was(system):
    def stored_bytes():
        return sum(path.stat().st_size for path in system.folder.rglob("*.sqlite3*"))

    before = stored_bytes()
    assert before
    for place in ("api/v1/auth/token/", "login/", "admin/login/"):
        form = {"username": "n" * 7_900_000, "password": "wrong"}
        with contextlib.suppress(requests.ConnectionError):  # it was refused before it was sent whole
            assert requests.post(f"{system.address}/{place}", data=form, timeout=120).status_code == 413
    assert stored_bytes() - before < MEGABYTE


def test_sections_that_a_parser_reads_slowly_hold_up_nobody(system, token):
    """Eight at once held the site for 44 s when their cost grew with the square of their length."""
    headers = {"Authorization": f"Token {token}"}
    documents = f"{system.address}/api/v1/documents/"
    plan = requests.get(documents, headers=headers, timeout=120).json()["results"][0]
    key = document_types.DOCUMENT_TYPES[plan["kind"]].section_keys()[0]
    texts = [
        "&" * 400_000,
        "<p " + " ".join(f"a{n}" for n in range(100_000)) + ">",
        "<table>" + "<br>" * 200_000,
    ] * 3

    def send(text):
        address = f"{system.address}/api/v1/documents/{plan['id']}/"
        return requests.patch(
            address, json={"sections": {key: text}}, headers=headers, timeout=120
        ).status_code

    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        statuses = pool.map(send, texts)
        assert requests.get(f"{system.address}/healthz/live", timeout=60).ok
        assert set(statuses) == {400}
    assert time.monotonic() - started < promised(10)


def test_who_asks_too_often_is_told_to_wait(system, token):
    address, headers = f"{system.address}/api/v1/documents/", {"Authorization": f"Token {token}"}
    statuses = [requests.get(address, headers=headers, timeout=120).status_code for _ in range(41)]
    assert statuses[-1] == 429
    answer = requests.get(address, headers=headers, timeout=120)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) > 0


def test_who_fails_to_sign_in_is_told_to_wait(system):
    wrong = {"username": "somebody", "password": "wrong"}
    answers = [
        requests.post(f"{system.address}/api/v1/auth/token/", json=wrong, timeout=120) for _ in range(4)
    ]
    assert answers[-1].status_code == 429
    assert answers[-1].headers["Retry-After"] == "900"
