"""The tick: one evaluator at a time, from counts to the flag, with its evidence; and what stops it does no harm."""

import dataclasses
import shutil
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from documents.models import Cluster, Task
from metrics import flag
from metrics.collection import snapshots
from metrics.decisions import metric_names
from metrics.decisions.criteria import DURATION_BUCKETS
from metrics.decisions.switch import SwitchState
from metrics.decisions.windows import Histogram, Window
from metrics.evaluation import evaluator
from metrics.models import Evaluation, ModeChange, ModeState, Snapshot

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parent.parent.parent
BOUNDS = (*DURATION_BUCKETS, float("inf"))


class Told:
    """A source that says what it is told to."""

    name = "told"

    def __init__(self, requests=(), renders=()):
        self.requests, self.renders = requests, renders

    def window(self, seconds, now):
        if self.requests is None:
            return None
        histograms = {
            metric_names.REQUEST_SECONDS: histogram(self.requests),
            metric_names.RENDER_SECONDS: histogram(self.renders),
        }
        counters = {"spms_http_requests_started_total": float(len(self.requests))}
        return Window(at=now, histograms=histograms, counters=counters)


def histogram(values):
    buckets = {bound: float(sum(value <= bound for value in values)) for bound in BOUNDS}
    return Histogram(buckets=buckets, sum_seconds=sum(values))


SLOW, FAST = Told([9.0] * 50 + [0.1] * 50), Told([0.1] * 100)


@pytest.fixture(autouse=True)
def limits(settings, tmp_path):
    settings.SPMS_MODE = "auto"
    settings.SPMS_THRESHOLDS = str(tmp_path / "thresholds.yaml")
    shutil.copy(ROOT / "thresholds.yaml", settings.SPMS_THRESHOLDS)
    return Path(settings.SPMS_THRESHOLDS)


def ticks(source, count, begin=None, step=15):
    begin = time.time() if begin is None else begin
    for number in range(count):
        Cluster.objects.update(seen_at=timezone.now())
        evaluator.tick(source, now=begin + number * step)
    return begin + count * step


def test_a_crossed_limit_moves_work_to_the_queue_with_its_evidence(cluster):
    ticks(SLOW, 4)
    assert flag.mode() == "inline"
    ticks(SLOW, 6, begin=time.time() + 60)
    assert flag.mode() == "queue"
    change = ModeChange.objects.get()
    assert (change.before, change.after, change.actor) == ("inline", "queue", "evaluator")
    assert "p95 response time" in change.reason
    entry = next(stored for stored in change.evidence["thresholds"] if stored["name"] == "p95_response_time")
    assert (entry["limit"], entry["state"], change.evidence["source"]) == (5.0, "firing", "told")
    assert len(change.evidence["limits"]) == 12


def test_it_comes_back_when_the_demand_is_gone(cluster, owner):
    # So that all of it is past: PDFs that are dated in the future do not count.
    begun_at = timezone.now() - timedelta(minutes=14)
    at = ticks(SLOW, 6, begin=begun_at.timestamp())
    assert flag.mode() == "queue"
    for number in range(60):
        task = Task.objects.create(
            kind="pdf", fingerprint=str(number), status="succeeded", result={"seconds": 0.2}
        )
        Task.objects.filter(pk=task.pk).update(created_at=begun_at + timedelta(seconds=11 * number))
    ticks(FAST, 50, begin=at)
    assert flag.mode() == "inline"
    assert [change.after for change in ModeChange.objects.all()] == ["inline", "queue"]


def test_without_live_workers_it_stays_inline_and_raises_the_alarm(api):
    ticks(SLOW, 8)
    assert flag.mode() == "inline"
    answer = api.get("/api/v1/thresholds/").data
    assert "no worker is alive" in answer["alarm"]


def test_missing_data_hold_the_mode(cluster):
    at = ticks(SLOW, 6)
    ticks(Told(None), 100, begin=at)
    assert flag.mode() == "queue"
    states = {stored["name"]: stored["state"] for stored in ModeState.objects.get().report["thresholds"]}
    assert states["p95_response_time"] == "no_data"
    assert states["concurrent_users"] == "inactive"


def test_a_dry_run_decides_and_changes_nothing(cluster, limits):
    limits.write_text(limits.read_text().replace("dry_run: false", "dry_run: true"))
    ticks(SLOW, 6)
    assert flag.mode() == "inline"
    change = ModeChange.objects.first()
    assert change is not None
    assert (change.after, change.is_dry_run) == ("queue", True)


def test_a_bad_edit_keeps_the_last_good_limits_and_says_so(api, limits):
    ticks(FAST, 1)
    limits.write_text("thresholds: [")
    ticks(FAST, 1)
    answer = api.get("/api/v1/thresholds/").data
    assert "not YAML" in answer["limits_error"]
    assert len(answer["thresholds"]) == 12
    shutil.copy(ROOT / "thresholds.yaml", limits)
    ticks(FAST, 1)
    assert api.get("/api/v1/thresholds/").data["limits_error"] == ""


def test_a_bad_file_at_the_first_start_is_one_line(limits):
    limits.write_text("thresholds:\n  p95_response_time:\n    limit: 31s\n")
    with pytest.raises(CommandError, match=r"line 3: p95_response_time\.limit: 31s is not a bound"):
        call_command("evaluate_thresholds")


def test_only_one_evaluator_decides_at_a_time(monkeypatch):
    now = time.time()
    assert evaluator.tick(FAST, now=now)
    monkeypatch.setattr(evaluator, "evaluator_id", lambda: "other:1")
    assert not evaluator.tick(FAST, now=now + 5)
    assert evaluator.tick(FAST, now=now + 60)
    assert Evaluation.objects.count() == 2


def test_a_lease_from_the_future_does_not_block_for_ever(monkeypatch):
    ModeState.objects.create(holder="other:1", lease_until=timezone.now() + timedelta(days=400))
    assert evaluator.tick(FAST)


def test_an_entry_has_every_field_of_the_contract(api):
    ticks(FAST, 1)
    answer = api.get("/api/v1/thresholds/").data
    assert answer["evaluated_at"]
    names = {"name", "description", "value", "limit", "unit", "state", "since", "shadow", "headroom"}
    names |= {"routes_to_queue", "reason"}
    assert all(names <= set(entry) for entry in answer["thresholds"])


def test_before_the_first_evaluation_there_is_an_answer_too(api):
    answer = api.get("/api/v1/thresholds/").data
    assert (answer["evaluated_at"], answer["mode"], answer["thresholds"]) == (None, "inline", [])


def test_the_command_prints_a_table_or_json(capsys):
    call_command("evaluate_thresholds")
    assert "p95_response_time" in capsys.readouterr().out
    call_command("evaluate_thresholds", "--json")
    assert '"thresholds": [{"name": "p95_response_time"' in capsys.readouterr().out


def test_a_value_that_rises_steadily_says_when_it_reaches_its_limit(api):
    begin = timezone.now() - timedelta(minutes=50)
    for number in range(50):
        values = {"p95_response_time": [0.5 + 0.05 * number, None], "error_rate": [0.001, None]}
        Evaluation.objects.create(at=begin + timedelta(minutes=number), mode="inline", values=values)
    evaluator.tick(Told([3.0] * 100))
    entries = {entry["name"]: entry for entry in api.get("/api/v1/thresholds/").data["thresholds"]}
    minutes = entries["p95_response_time"]["forecast_seconds"] / 60
    assert 30 < minutes < 50
    assert "the limit is reached in about" in entries["p95_response_time"]["reason"]
    assert entries["error_rate"]["forecast_seconds"] is None


def counts(requests, started=0.0):
    buckets = {bound: float(sum(value <= bound for value in requests)) for bound in BOUNDS}
    counters = dict.fromkeys(snapshots.COUNTERS, 0.0) | {snapshots.COUNTERS[0]: started}
    return snapshots.Counts(
        buckets={metric_names.REQUEST_SECONDS: buckets},
        sums={metric_names.REQUEST_SECONDS: sum(requests)},
        counters=counters,
    )


def keep(host, seconds_ago, counts):
    at = timezone.now() - timedelta(seconds=seconds_ago)
    Snapshot.objects.create(host=host, at=at, counts=snapshots.pack(counts))


def test_a_window_is_what_all_hosts_counted_in_it():
    keep("a", 400, counts([1.0], 1))
    keep("a", 310, counts([1.0] * 3, 3))
    keep("a", 5, counts([1.0] * 5 + [9.0], 6))
    keep("b", 290, counts([], 0))
    keep("b", 2, counts([2.0] * 4, 4))
    window = snapshots.window(300, time.time())
    assert window is not None
    assert window.histograms[metric_names.REQUEST_SECONDS].count == 7
    assert window.histograms[metric_names.REQUEST_SECONDS].sum_seconds == pytest.approx(2.0 + 9.0 + 8.0)
    assert window.counters[snapshots.COUNTERS[0]] == 7
    assert time.time() - window.at < 5


def test_a_counter_that_was_reset_counts_from_there():
    keep("a", 310, counts([1.0] * 50, 50))
    keep("a", 5, counts([1.0] * 4, 4))
    window = snapshots.window(300, time.time())
    assert window is not None
    assert (
        window.histograms[metric_names.REQUEST_SECONDS].count,
        window.counters[snapshots.COUNTERS[0]],
    ) == (4, 4)


def test_no_snapshot_is_no_window():
    assert snapshots.window(300, time.time()) is None


def test_old_snapshots_are_thinned():
    for minutes in range(0, 180, 5):
        keep("a", 60 * minutes, counts([]))
    keep("a", 40 * 86400, counts([]))
    snapshots.downsample(time.time())
    assert 12 + 8 <= Snapshot.objects.count() <= 12 + 10


def test_the_state_of_an_older_version_stays_readable():
    state = ModeState(course={"mode": "queue", "since": 5.0, "hold_factor": 4.0, "returned_at": None})
    assert evaluator.switch_state_from(state) == SwitchState(mode="queue", since=5.0, hold_multiplier=4.0)
    state.course = dataclasses.asdict(evaluator.switch_state_from(state))
    assert evaluator.switch_state_from(state).hold_multiplier == 4.0
