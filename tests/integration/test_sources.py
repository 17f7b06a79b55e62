"""A Prometheus server may answer anything, or nothing: that is no data, and never takes long."""

import json
import math
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from metrics.collection import snapshots, sources
from metrics.decisions import metric_names
from tests.waiting import wait_for


class Handler(BaseHTTPRequestHandler):
    """Answers with what the test put into ``server.answer``."""

    def do_GET(self):
        self.server.asked += 1  # type: ignore[attr-defined]
        status, body, seconds = self.server.answer  # type: ignore[attr-defined]
        time.sleep(seconds)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body if isinstance(body, bytes) else body.encode())

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    http_server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http_server.daemon_threads = True
    http_server.asked = 0  # type: ignore[attr-defined]
    threading.Thread(target=http_server.serve_forever, daemon=True).start()
    yield http_server
    http_server.shutdown()
    http_server.server_close()


def source(server):
    return sources.PrometheusSource(f"http://127.0.0.1:{server.server_port}")


def vector(value, **labels):
    return {"metric": labels, "value": [1_790_000_000.0, value]}


def said(*samples):
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": list(samples)}})


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, "{}"),
        (200, "<html>Welcome</html>"),
        (200, ""),
        (200, "[]"),
        (200, "{}"),
        (200, '{"status": "error", "error": "bad_data"}'),
        (200, '{"status": "success", "data": {"result": "none"}}'),
        (200, said(vector("NaN"))),
        (200, said(vector("+Inf"))),
        (200, said({"metric": {}, "value": []})),
        (200, said({"metric": {}})),
        (200, said("vector")),
        (200, said()),
        (200, b"\xff\xfe"),
        (200, "[" * 100_000),
    ],
)
def test_nonsense_is_no_data(server, status, body):
    server.answer = (status, body, 0)
    assert source(server).window(300, time.time()) is None


def test_a_server_that_does_not_answer_is_given_up_soon_and_rests(server, monkeypatch):
    monkeypatch.setattr(sources, "TIMEOUT_SECONDS", 0.3)
    server.answer = (200, said(vector("7.5", le="5.0"), vector("9", le="+Inf")), 30)  # good, but too late
    patient = sources.CircuitBreaker(source(server), clock=lambda: 0.0)
    assert [patient.window(length, time.time()) for length in (300, 900, 86400)] == [None] * 3
    wait_for(lambda: server.asked)  # it was connected to, and may take its time
    assert server.asked == 1


def test_a_good_answer_is_read(server):
    server.answer = (200, said(vector("7.5", le="5.0"), vector("9", le="+Inf")), 0)
    window = source(server).window(300, time.time())
    assert window is not None
    assert window.histograms[metric_names.REQUEST_SECONDS].buckets == {5.0: 7.5, math.inf: 9.0}
    assert window.counters[snapshots.COUNTERS[0]] == 7.5
