"""Streams of events from a real uvicorn: what they say, to whom, and what five hundred of them cost."""

import json
import socket
import time

import pytest
import requests

from tests.waiting import promised

pytestmark = pytest.mark.xdist_group("events")
STREAMS = 500


@pytest.fixture(scope="module")
def system(events_system):
    return events_system


def watch(system, address, task_id, **headers):
    headers = {"Authorization": system.session.headers["Authorization"], **headers}
    url = f"{address}/api/v1/tasks/{task_id}/events/"
    return requests.get(url, headers=headers, stream=True, timeout=300)


def tasks_of(answer):
    for line in answer.iter_lines(chunk_size=1):
        if line.startswith(b"data: "):
            yield json.loads(line[6:])


def queue_one(system, number=0):
    return system.make(system.documents(kind="concept_plan")[number]).json()["task_id"]


def test_a_task_is_followed_to_its_end(system, uvicorn):
    task_id = queue_one(system)
    answer = watch(system, uvicorn[0], task_id)
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert (answer.headers["Cache-Control"], answer.headers["X-Accel-Buffering"]) == ("no-store", "no")
    states = list(tasks_of(answer))  # the server ends the stream
    assert states[-1]["status"] == "succeeded"
    assert states[-1] == system.call("GET", f"tasks/{task_id}/").json()


def test_a_task_that_has_ended_is_told_at_once(system, uvicorn):
    task_id = queue_one(system)
    system.ended(task_id)
    began_at = time.monotonic()
    assert [task["status"] for task in tasks_of(watch(system, uvicorn[0], task_id))] == ["succeeded"]
    assert time.monotonic() - began_at < promised(3)


def test_nobody_watches_what_they_may_not_see(system, uvicorn):
    task_id = queue_one(system)
    assert watch(system, uvicorn[0], task_id, Authorization="").status_code == 401
    member = {"username": "author", "password": "sample-author-1"}
    token = system.call("POST", "auth/token/", json=member).json()["token"]
    annual = system.make(system.documents(kind="annual_report")[0]).json()["task_id"]
    unseen = watch(system, uvicorn[0], annual, Authorization=f"Token {token}")
    assert (unseen.status_code, unseen.json()["status"]) == (404, 404)
    system.ended(annual)


def test_gunicorn_says_to_ask_in_the_usual_way(system, uvicorn):
    task_id = queue_one(system)
    answer = watch(system, system.address, task_id)
    assert (answer.status_code, answer.json()["type"]) == (501, "urn:spms:problem:events-unavailable")
    assert f"/api/v1/tasks/{task_id}/?wait=20" in answer.json()["detail"]


def test_everything_else_works_there_too(system, uvicorn):
    answer = system.session.get(f"{uvicorn[0]}/api/v1/documents/", timeout=300)
    assert (answer.status_code, len(answer.json()["results"]) > 0) == (200, True)


WAITING = """
from datetime import timedelta
from django.utils import timezone
from documents.models import Task
from tests.waiting import promised
now = timezone.now()
print(Task.objects.create(kind="pdf", mode="queue", started_at=now, claimable_at=now + timedelta(minutes=5)).pk)
"""


def waiting_task(system):
    """Return a task that waits for its next step."""
    return system.manage("shell", "--no-imports", "-c", WAITING).stdout.strip()


def open_streams(address, task_id, authorization, count):
    host, port = address.removeprefix("http://").split(":")
    head = f"GET /api/v1/tasks/{task_id}/events/ HTTP/1.1\r\nHost: {host}\r\nAuthorization: {authorization}\r\n\r\n"
    streams = [socket.create_connection((host, int(port)), timeout=300) for _ in range(count)]
    for stream in streams:
        stream.sendall(head.encode())
    return streams


def read_until(stream, word):
    text = b""
    while word not in text:
        chunk = stream.recv(65_536)
        assert chunk, text
        text += chunk
    return text


def test_five_hundred_streams_take_no_threads_and_little_memory(system, uvicorn, record_property):
    address, process = uvicorn
    system.call("GET", "tasks/")
    threads, memory_bytes = process.num_threads(), process.memory_info().rss
    task_id = waiting_task(system)
    streams = open_streams(address, task_id, system.session.headers["Authorization"], STREAMS)
    try:
        for stream in streams:
            assert b'"status":"queued"' in read_until(stream, b'"status"')
        grown_bytes = process.memory_info().rss - memory_bytes
        assert process.num_threads() - threads <= 2
        assert grown_bytes < 200 * 1024**2
        record_property(
            "events",
            f"{STREAMS} streams: {grown_bytes / 1024**2:.0f} MB more, "
            f"{process.num_threads() - threads} threads more",
        )
        # Others are served meanwhile, and all hear of the end.
        assert system.session.get(f"{address}/healthz/live", timeout=300).ok
        system.call("POST", f"tasks/{task_id}/cancel/")
        for stream in streams:
            read_until(stream, b'"status":"cancelled"')
    finally:
        for stream in streams:
            stream.close()


LEAVING = """
from documents.models import Document, Membership
plan = Document.objects.get(pk={document})
Membership.objects.filter(project=plan.project, user__username="author").delete()
"""
JOINING = """
from django.contrib.auth.models import User
from documents.models import Document, Membership
plan = Document.objects.get(pk={document})
Membership.objects.get_or_create(project=plan.project, user=User.objects.get(username="author"))
"""
ABOUT_DOCUMENT = WAITING.replace("mode=", "document_id={document}, fingerprint='leaving', mode=")


def test_a_silent_stream_of_a_member_who_leaves_the_project_ends(system, uvicorn):
    author = {"username": "author", "password": "sample-author-1"}
    authorization = f"Token {system.call('POST', 'auth/token/', json=author).json()['token']}"
    headers = {"Authorization": authorization}
    own = system.session.get(f"{system.address}/api/v1/documents/", headers=headers, timeout=300).json()[
        "results"
    ]
    document = next(entry["id"] for entry in own if entry["project"])
    shell = ("shell", "--no-imports", "-c")
    task_id = system.manage(*shell, ABOUT_DOCUMENT.format(document=document)).stdout.strip()
    staff_authorization = system.session.headers["Authorization"]
    streams = []
    try:
        for allowed in (staff_authorization, authorization):
            [stream] = open_streams(uvicorn[0], task_id, allowed, 1)
            streams.append(stream)
            read_until(stream, b'"status":"queued"')
        system.manage(*shell, LEAVING.format(document=document))
        # The server ends it, long before MAX_STREAM_SECONDS: after the timeout of these sockets this would fail.
        assert b"0\r\n\r\n" in read_to_end(streams[1])
        system.call("POST", f"tasks/{task_id}/cancel/")
        read_until(streams[0], b'"status":"cancelled"')  # staff still hear of the end
        assert watch(system, uvicorn[0], task_id, Authorization=authorization).status_code == 404
    finally:
        system.manage(*shell, JOINING.format(document=document))
        for stream in streams:
            stream.close()


def read_to_end(stream):
    text = b""
    while chunk := stream.recv(65_536):
        text += chunk
    return text
