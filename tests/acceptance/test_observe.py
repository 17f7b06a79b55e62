"""Sentry and OpenTelemetry get what they should when an address is set, and nothing otherwise."""

import gzip
import os
import subprocess
import sys

import brotli
import pytest

from tests.acceptance.system import ROOT
from tests.receiver import receiving
from tests.waiting import wait_for

ASK = """
import logging
from django.test import Client
assert Client(headers={"Host": "localhost"}).get("/healthz/live").status_code == 200
logging.getLogger("documents").error("the disk of %s is full", "host")
import sentry_sdk
sentry_sdk.flush(60)  # at the end of a process it takes two seconds at most, which a busy machine may need longer
"""


@pytest.fixture
def collector():
    with receiving() as server:
        yield server


def run(tmp_path, **settings):
    """Let a process of ours answer a request and log an error; return what it printed."""
    environment = {"PATH": os.environ["PATH"], "SPMS_DATA_DIR": str(tmp_path), **settings}
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", ASK]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def paths(collector):
    return [path for path, _, _ in collector.got]


def plain(body, headers):
    sent = body.encode(errors="surrogateescape")
    unpack = {"gzip": gzip.decompress, "br": brotli.decompress}.get(headers.get("Content-Encoding"))
    return unpack(sent) if unpack else sent


def test_an_error_in_the_log_reaches_sentry(tmp_path, collector):
    run(tmp_path, SENTRY_DSN=f"http://key@127.0.0.1:{collector.server_port}/7")
    path, headers, body = wait_for(lambda: collector.got)[0]
    assert path.startswith("/api/7/envelope/")
    assert b"the disk of host is full" in plain(body, headers)


def test_a_request_reaches_the_collector_of_traces(tmp_path, collector):
    run(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.server_port}")
    assert wait_for(lambda: "/v1/traces" in paths(collector))
    [body] = [plain(body, headers) for path, headers, body in collector.got if path == "/v1/traces"]
    assert b"healthz/live" in body


def test_nothing_leaves_without_an_address(tmp_path, collector):
    run(tmp_path)
    assert collector.got == []
