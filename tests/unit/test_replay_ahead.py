"""A replay in which workers make PDFs ahead: by the rule of the workers, and never at the cost of a request."""

import json
from random import Random

import pytest
from django.core.management import CommandError, call_command

from metrics.decisions import prerender_model
from metrics.decisions.inline_model import Arrival
from metrics.decisions.prerender_model import PdfRequest, make_ahead

HEAD = "arrived_at,kind,service_seconds,changed_at\n"


def request(line, changed_at, arrived_at, service_seconds=1.0):
    return PdfRequest(
        line=line, arrived_at=arrived_at, changed_at=changed_at, service_seconds=service_seconds
    )


def test_a_document_that_was_left_alone_is_ready():
    day = make_ahead([Arrival(0.0, 0.1, False)], [request(1, 0.0, 60.0)], slots=2)
    assert (day.ready, day.gave_way) == (1, 0)
    assert day.work == [Arrival(0.0, 0.1, False), Arrival(60.0, prerender_model.READY_ANSWER_SECONDS, False)]


def test_one_that_is_asked_for_at_once_is_rendered():
    assert make_ahead([], [request(1, 0.0, 5.0)], slots=2).work == [Arrival(5.0, 1.0, True)]


def test_a_request_joins_what_is_being_made():
    day = make_ahead([], [request(1, 0.0, 12.0, service_seconds=3.0)], slots=2)
    assert day.work == [Arrival(12.0, 2.0, True)]


def test_it_gives_way_to_a_render_that_needs_the_room_and_is_made_later():
    quick, slow = request(1, 11.9, 12.0), request(2, 0.0, 60.0, service_seconds=3.0)
    day = make_ahead([], [quick, slow], slots=2)
    assert (day.ready, day.gave_way) == (1, 1)
    assert make_ahead([], [quick, slow], slots=4).gave_way == 0


def test_nothing_is_made_while_requests_need_the_slots():
    flood = [
        request(number, 10.0 * number - 1, 10.0 * number, service_seconds=10.0) for number in range(1, 20)
    ]
    assert make_ahead([], [*flood, request(99, 0.0, 195.0)], slots=2).ready == 0


@pytest.mark.parametrize("slots", [1, 2, 8])
def test_every_request_is_served_once_whatever_the_day(slots):
    random = Random(slots)
    requests = [
        request(
            line,
            (changed_at := random.uniform(0, 3600)),
            changed_at + random.uniform(0, 120),
            random.uniform(0.1, 9),
        )
        for line in range(400)
    ]
    day = make_ahead([], requests, slots=slots)
    assert [arrival.arrived_at for arrival in day.work] == sorted(request.arrived_at for request in requests)
    assert day.ready == sum(not arrival.is_pdf for arrival in day.work) > 50
    assert all(arrival.service_seconds > 0 for arrival in day.work)


def test_the_command_says_how_many_were_ready(tmp_path, capsys):
    path = tmp_path / "trace.csv"
    path.write_text(f"{HEAD}0,request,0.1,\n60,pdf,1,0\n61,pdf,1,60.5\n")
    call_command("replay_traffic", path, prerender=True, json=True)
    figures = json.loads(capsys.readouterr().out)
    assert (figures["requests"], figures["pdfs_ready"]) == (3, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("arrived_at,kind,service_seconds\n1,pdf,1\n", "needs a column changed_at"),
        (f"{HEAD}1,pdf,1,\n", "line 2: expected a number in changed_at"),
        (f"{HEAD}1,pdf,1\n", "line 2: expected a number in changed_at"),
        (f"{HEAD}1,pdf,1,2\n", "not after arrived_at"),
        (f"{HEAD}1,pdf,1,nan\n", "not after arrived_at"),
    ],
)
def test_a_trace_without_the_times_of_changes_is_refused(tmp_path, text, said):
    path = tmp_path / "trace.csv"
    path.write_text(text)
    with pytest.raises(CommandError, match=said):
        call_command("replay_traffic", path, prerender=True)
