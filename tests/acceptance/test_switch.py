"""The switch with real processes: a real Prometheus beside the embedded source, and a mode that all act on."""

import json
import shutil
import subprocess
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from bench.ports import free_port
from tests.acceptance import warm
from tests.acceptance.system import MANAGE, System
from tests.waiting import wait_for

pytestmark = pytest.mark.xdist_group("switch")

PROMISED_SECONDS = 2  # after a change of the mode, every process acts on it
LIMITS = """
defaults: {window: 30m, for: 2s, keep_firing_for: 5m, min_samples: 10}
thresholds:
  p95_response_time: {limit: 250ms, routes_to_queue: true}
  average_response_time: {limit: 100ms}
  pdf_generation_time: {limit: 10s}
  error_rate: {limit: 1%}
"""


class Prometheus:
    """A real Prometheus that scrapes a system every second."""

    def __init__(self, folder, target):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        config = folder / "prometheus.yml"
        config.write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": "1s"},
                    "scrape_configs": [{"job_name": "spms", "static_configs": [{"targets": [target]}]}],
                }
            )
        )
        log = (folder / "prometheus.log").open("wb")
        self.process = subprocess.Popen(
            [
                shutil.which("prometheus") or "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            stdout=log,
            stderr=log,
        )
        log.close()
        wait_for(self.is_ready)

    def is_ready(self):
        try:
            return requests.get(f"{self.url}/-/ready", timeout=2).ok
        except requests.RequestException:
            return False

    def value(self, query):
        """Return the value of a query now, or None."""
        form = urllib.parse.urlencode({"query": query})
        result = requests.get(f"{self.url}/api/v1/query?{form}", timeout=60).json()["data"]["result"]
        return float(result[0]["value"][1]) if result else None

    def stop(self):
        self.process.terminate()
        self.process.wait(120)


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    folder = tmp_path_factory.mktemp("system")
    (folder / "limits.yaml").write_text(LIMITS)
    started = System(
        folder, SPMS_MODE="auto", SPMS_THRESHOLDS=str(folder / "limits.yaml"), SPMS_INLINE_DEADLINE="90s"
    )
    with started.running():
        yield started


@pytest.fixture(scope="module")
def prometheus(system):
    server = Prometheus(system.folder, f"127.0.0.1:{system.port}")
    yield server
    server.stop()


def evaluated(system, **environment):
    """Evaluate in a process of its own and return what it says."""
    ended = warm.run(["evaluate_thresholds", "--json"], system.environment | environment)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def values(answer):
    return {entry["name"]: entry for entry in answer["thresholds"]}


def until_free(system, **environment):
    """Evaluate as soon as the lease of the last evaluator has ended with it."""
    script = "from metrics.models import ModeState; ModeState.objects.update(lease_until=None)"
    system.manage("shell", "-v", "0", "-c", script)
    return evaluated(system, **environment)


def read_from(prometheus, system):
    """Evaluate with Prometheus; return nothing if its last scrape was late: that leaves a second without data."""
    entries = values(until_free(system, PROMETHEUS_URL=prometheus.url))
    return entries["p95_response_time"]["state"] != "no_data" and entries


def test_both_sources_see_the_same_traffic_and_decide_the_same(system, prometheus):
    # On a busy machine `auto` would send some to the queue, and both would read the shadow instead of the histograms.
    system.session.put(
        f"{system.address}/api/v1/mode/", json={"setting": "inline", "reason": "one way for all"}
    )
    plans = system.documents(kind="concept_plan") + system.documents(kind="project_plan")
    # Prometheus does not count what a series begins with: the first answer of each kind must be behind it.
    assert system.make(plans[0]).status_code == 201
    wait_for(lambda: prometheus.value("sum(spms_render_duration_seconds_count)"))
    until_free(system)  # a first snapshot, so that its window has a begin
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(system.make, plans * 3))
    assert {answer.status_code for answer in answers} <= {200, 201, 202}
    answered_at = time.time()
    # An increase ends at the last scrape: one that is later by more than the interval is the second since.
    scraped_at = "max(timestamp(spms_http_requests_started_total))"
    wait_for(lambda: (prometheus.value(scraped_at) or 0) > answered_at + 1)
    embedded = values(until_free(system))
    scraped = wait_for(lambda: read_from(prometheus, system))
    for name in ("p95_response_time", "average_response_time"):
        ours, theirs = embedded[name], scraped[name]
        assert ours["samples"] >= len(answers)
        assert theirs["value"] == pytest.approx(ours["value"], rel=0.15), name
        assert (theirs["value"] > theirs["limit"]) == (ours["value"] > ours["limit"]), name
        assert (theirs["state"] == "inactive") == (ours["state"] == "inactive"), "one is read a little later"


def test_a_prometheus_that_is_away_or_talks_nonsense_is_no_data(system):
    entries = values(until_free(system, PROMETHEUS_URL=f"http://127.0.0.1:{free_port()}"))
    assert entries["p95_response_time"]["state"] == "no_data"
    entries = values(until_free(system, PROMETHEUS_URL=f"{system.address}/healthz/live?"))
    assert entries["p95_response_time"]["state"] == "no_data"


def test_a_crossed_limit_queues_and_every_process_acts_on_it_at_once(system):
    system.session.put(f"{system.address}/api/v1/mode/", json={"setting": "inline", "reason": "a calm begin"})
    system.manage("mode", "auto")
    evaluator = system.start(*MANAGE, "evaluate_thresholds", "--every", "1s")
    system.start(*MANAGE, "evaluate_thresholds", "--every", "1s")
    plans = system.documents(kind="project_plan")
    try:
        script = "from metrics.models import ModeState; ModeState.objects.update(lease_until=None)"
        system.manage("shell", "-v", "0", "-c", script)

        def is_queued():
            with ThreadPoolExecutor(4) as threads:
                list(threads.map(system.make, plans[:4]))
            return system.call("GET", "mode/").json()["effective"] == "queue"

        wait_for(is_queued)
        time.sleep(PROMISED_SECONDS)
        assert system.make(plans[0]).status_code == 202
        mode = system.call("GET", "mode/").json()
        assert "p95 response time" in mode["reason"]
    finally:
        evaluator.terminate()


def test_an_operator_overrides_it_and_every_process_acts_within_two_seconds(system):
    plan = system.documents(kind="concept_plan")[0]
    for setting, status in (("inline", 201), ("queue", 202), ("inline", 201)):
        chosen = system.call("PUT", "mode/", json={"setting": setting, "reason": "a test"})
        assert chosen.status_code == 200, chosen.text
        time.sleep(PROMISED_SECONDS)
        answer = system.make(plan)
        assert answer.status_code == status  # however long it took
        system.ended(answer.json()["task_id"])  # the next request would join it


def test_requests_of_a_killed_web_process_are_timeouts(system):
    report = system.long_document(1800)
    system.call("PUT", "mode/", json={"setting": "inline", "reason": "a test"})
    lost = 'spms_http_requests_timed_out_total{reason="killed"}'

    def count(name):
        text = system.session.get(f"{system.address}/metrics", timeout=60).text
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))

    before = count(lost)
    wait_for(lambda: count("spms_http_requests_in_flight") == 0)
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(system.make, report)
        wait_for(lambda: asked.done() or count("spms_http_requests_in_flight") == 1)
        master = next(process for process in system.processes if "gunicorn" in process.args)
        [worker] = [process for process in system.descendants() if process.ppid() == master.pid]
        worker.kill()
        with pytest.raises(requests.ConnectionError):
            asked.result()
    wait_for(system.is_up)
    assert count(lost) == before + 1


def test_the_rules_pass_promtools_checks(system, tmp_path):
    rules = tmp_path / "rules.yml"
    exported = warm.run(
        ["export_prometheus_rules"], system.environment | {"SPMS_THRESHOLDS": "thresholds.yaml"}
    )
    assert exported.returncode == 0, exported.stderr
    rules.write_text(exported.stdout)
    promtool = shutil.which("promtool") or "promtool"
    checked = subprocess.run([promtool, "check", "rules", str(rules)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    unit_test = tmp_path / "rules_test.yml"
    unit_test.write_text(RULES_TEST)
    tested = subprocess.run(
        [promtool, "test", "rules", str(unit_test)], cwd=tmp_path, capture_output=True, text=True
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr


RULES_TEST = """
rule_files: [rules.yml]
evaluation_interval: 15s
tests:
  - interval: 15s
    input_series:
      - series: 'spms_http_request_duration_seconds_bucket{route="api/v1/documents/{pk}/pdf/", le="5.0"}'
        values: '0+1x60'
      - series: 'spms_http_request_duration_seconds_bucket{route="api/v1/documents/{pk}/pdf/", le="10.0"}'
        values: '0+10x60'
      - series: 'spms_http_request_duration_seconds_bucket{route="api/v1/documents/{pk}/pdf/", le="+Inf"}'
        values: '0+10x60'
      - series: 'spms_pdfs_last_24h'
        values: '900x60'
    alert_rule_test:
      - eval_time: 10m
        alertname: SpmsP95ResponseTime
        exp_alerts:
          - exp_labels: {severity: critical}
            exp_annotations:
              dashboard: http://127.0.0.1:8000/dashboard/#p95_response_time
              summary: p95 response time is above 5 s
              description: 95 of 100 requests are answered within this time; now 9.722222222222221
      - eval_time: 10m
        alertname: SpmsPdfGenerations
        exp_alerts: []
"""
