"""Days of traffic through the real evaluation: it switches when it should, and does not flap."""

from pathlib import Path

import pytest

from bench import traffic
from metrics.decisions import limits_file, replay
from metrics.decisions.inline_model import Arrival

ROOT = Path(__file__).parent.parent.parent
LIMITS = limits_file.load(ROOT / "thresholds.yaml")
SITE = replay.Site(web_threads=4, queue_workers=2, inline_slots=2, deadline_seconds=30.0)


@pytest.mark.parametrize("shape", sorted(traffic.SHAPES))
def test_a_day_has_few_switches_and_no_timeouts_once_work_is_queued(shape):
    report = replay.replay(traffic.SHAPES[shape](3), LIMITS, SITE)
    assert report.switches <= (0 if shape in {"quiet", "outlier"} else 4)
    assert report.timeouts_in_queue_mode == 0
    assert report.needless_queue_hours <= (1.0 if shape in {"quiet", "outlier", "burst"} else 4.0)


def test_an_overload_is_queued_within_the_time_that_the_limits_name():
    quiet = [Arrival(6.0 * n, 0.1, False) for n in range(600)]
    flood = [Arrival(3600.0 + 0.4 * n, 4.0, True) for n in range(3000)]
    site = replay.Site(web_threads=4, queue_workers=2, inline_slots=4, deadline_seconds=30.0)
    report = replay.replay(sorted(quiet + flood), LIMITS, site)
    at, mode, reason = report.changes[0]
    assert (mode, "response time" in reason) == ("queue", True)
    over_since = 3600 + 5 + 15  # the first three requests above five seconds have ended
    assert at - over_since <= 60 + 20 + 15


def test_without_workers_of_the_queue_everything_stays_inline():
    site = replay.Site(web_threads=4, queue_workers=0, inline_slots=2, deadline_seconds=30.0)
    report = replay.replay([Arrival(0.5 * n, 4.0, True) for n in range(2000)], LIMITS, site)
    assert (report.switches, report.queue_hours) == (0, 0)
    assert report.timeouts > 0


def test_a_trace_is_read_in_order_of_arrival(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text("arrived_at,kind,service_seconds\n5,pdf,2.5\n1,request,0.1\n")
    assert replay.read_trace(path) == [Arrival(1, 0.1, False), Arrival(5, 2.5, True)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected the columns"),
        ("arrived_at,kind\n1,pdf\n", "missing: service_seconds"),
        ("arrived_at,kind,service_seconds\n", "at least one request"),
        ("arrived_at,kind,service_seconds\nsoon,pdf,1\n", "line 2: expected numbers"),
        ("arrived_at,kind,service_seconds\n1,pdf,1\n2,word,1\n", "line 3: expected kind pdf or request"),
        ("arrived_at,kind,service_seconds\n1,pdf,-1\n", "line 2: expected kind"),
        ("arrived_at,kind,service_seconds\n1,pdf,nan\n", "line 2: expected kind"),
        ("arrived_at,kind,service_seconds\n1,pdf,\n", "line 2: expected numbers"),
    ],
)
def test_a_broken_trace_names_its_line(tmp_path, text, said):
    path = tmp_path / "trace.csv"
    path.write_text(text)
    with pytest.raises(replay.TraceError, match=said):
        replay.read_trace(path)
