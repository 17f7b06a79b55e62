"""The log of a production: JSON throughout, and one request can be followed from the web to the worker."""

import json

import pytest

from tests.waiting import wait_for

REQUEST = "request-of-the-proxy"


pytestmark = pytest.mark.xdist_group("queue")


@pytest.fixture(scope="module")
def system(queue_system):
    return queue_system


def lines(system):
    return [json.loads(line) for line in system.log().splitlines()]


def test_a_request_is_followed_through_web_queue_and_worker(system):
    plan = system.documents(kind="concept_plan")[0]
    answer = system.make(plan, headers={"X-Request-ID": REQUEST})
    assert answer.headers["X-Request-ID"] == REQUEST
    task_id = answer.json()["task_id"]
    system.ended(task_id)
    ran = wait_for(lambda: [line for line in lines(system) if line["task_id"] == task_id])
    assert {line["request_id"] for line in ran} == {REQUEST}
    asked = [line for line in lines(system) if line["request_id"] == REQUEST and not line["task_id"]]
    [request] = [line for line in asked if line["logger"] == "spms.requests"]
    assert (request["method"], request["status"]) == ("POST", 202)
    assert request["path"].endswith(f"/{plan['id']}/pdf/")
    assert request["milliseconds"] > 0
    assert request["process"] not in {line["process"] for line in ran}


def test_a_request_without_a_name_or_with_a_hostile_one_gets_a_new_one(system):
    for headers in ({}, {"X-Request-ID": 'x", "level": "ERROR'}, {"X-Request-ID": "a" * 1000}):
        given = system.call("GET", "documents/", headers=headers).headers["X-Request-ID"]
        assert len(given) == 32
    assert all(line["level"] and line["time"] and line["logger"] for line in lines(system))
