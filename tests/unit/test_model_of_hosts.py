"""Capacity is what the live processes report, added up by host; nonsense among the reports changes nothing."""

import pytest
from hypothesis import given, strategies as st

from metrics.decisions.assessment import Observation, offered_load, render_load
from metrics.decisions.hosts import ClusterReport, Host, WebReport, add_up, inline_server, workers_elsewhere
from metrics.decisions.inline_model import Arrival, HostModel, ServerModel, latencies
from metrics.decisions.switch import Queue

HUGE = 2**31 - 1
NUMBERS = st.integers(-HUGE, HUGE)
NAMES = st.sampled_from(["a", "b", "x" * 120, ""])
WEB = st.builds(WebReport, host=NAMES, threads=NUMBERS, render_slots=NUMBERS)
CLUSTERS = st.builds(ClusterReport, host=NAMES, workers=NUMBERS, render_slots=NUMBERS)


def web(host, threads=32, slots=2):
    return WebReport(host=host, threads=threads, render_slots=slots)


def model(hosts):
    return inline_server(hosts, deadline_seconds=30.0)


def test_two_processes_of_a_host_add_their_threads_and_share_its_slots():
    [host] = add_up([web("a", 16), web("a", 16)], [])
    assert host == Host(name="a", web_threads=32, render_slots=2)


def test_two_hosts_add_threads_and_slots():
    hosts = add_up([web("a"), web("b", slots=4)], [ClusterReport(host="c", workers=8, render_slots=8)])
    assert model(hosts) == ServerModel(
        web_threads=64,
        render_slots=6,
        deadline_seconds=30.0,
        hosts=(HostModel("a", 32, 2), HostModel("b", 32, 4)),
    )


def test_a_request_waits_on_its_own_host_while_another_is_free():
    server = model(add_up([web("a", slots=1), web("b", slots=1)], []))
    assert server is not None
    assert latencies([Arrival(0.0, 1.0, True, "a")] * 3, server) == [1.0, 2.0, 3.0]
    assert latencies([Arrival(0.0, 1.0, True, "b"), Arrival(0.0, 1.0, True, "a")], server) == [1.0, 1.0]


@pytest.mark.parametrize("host", ["", "one that is gone"])
def test_requests_of_no_known_host_go_to_the_hosts_in_turn(host):
    server = model(add_up([web("a", slots=1), web("b", slots=1)], []))
    assert server is not None
    assert latencies([Arrival(0.0, 1.0, True, host)] * 4, server) == [1.0, 1.0, 2.0, 2.0]


def test_hosts_share_another_number_of_threads_as_they_do_now():
    server = model(add_up([web("a", 30), web("b", 10)], []))
    assert server is not None
    assert [host.web_threads for host in server.with_web_threads(20).hosts] == [15, 5]
    assert [host.web_threads for host in server.with_web_threads(1).hosts] == [1, 1]


def test_a_host_renders_no_more_at_once_than_it_has_threads():
    server = model(add_up([web("a", 1, 8), web("b", 8, 1)], []))
    assert server is not None
    assert server.render_slots == 2


def test_without_a_web_process_there_is_no_inline_server():
    assert model(add_up([], [ClusterReport(host="a", workers=2, render_slots=2)])) is None


def test_workers_of_a_web_host_share_its_cores():
    hosts = add_up([web("a")], [ClusterReport(host="a", workers=2), ClusterReport(host="b", workers=3)])
    assert workers_elsewhere(hosts) == 3
    assert [(host.name, host.serves_web, host.workers) for host in hosts] == [("a", True, 2), ("b", False, 3)]


@pytest.mark.parametrize(
    "nonsense", [web("a", HUGE), web("a", -1), web("a", 0), web("a", 4, HUGE), web("b", 4, -1)]
)
def test_a_report_that_cannot_be_right_is_left_out(nonsense):
    assert add_up([web("a"), nonsense], [ClusterReport(host="a", workers=HUGE)]) == add_up([web("a")], [])


@given(st.lists(WEB, max_size=5), st.lists(CLUSTERS, max_size=5))
def test_whatever_is_reported_the_server_is_one_that_can_be_simulated(reports, clusters):
    server = model(add_up(reports, clusters))
    assert server is None or (1 <= server.render_slots <= server.web_threads <= 5000)


def observation(hosts, seconds_each):
    server = model(hosts)
    assert server is not None
    work = [Arrival(float(second), seconds_each, True) for second in range(1, 101)]
    return Observation(
        now=100.0,
        windows={},
        work=work,
        work_seconds=100.0,
        is_queued=False,
        machine=server,
        queue=Queue(live_workers=0, waiting=0),
        hosts=hosts,
    )


def test_the_same_work_is_half_the_load_of_two_hosts():
    one, two = add_up([web("a", 8, 1)], []), add_up([web("a", 8, 1), web("b", 8, 1)], [])
    assert render_load(observation(one, 0.9)) == pytest.approx(0.9)
    assert render_load(observation(two, 0.9)) == pytest.approx(0.45)
    assert offered_load(observation(two, 0.9)) == pytest.approx(0.45)
