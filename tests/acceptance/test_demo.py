"""``make demo``, shortened: it goes to the queue and returns, and ends with everything that it started."""

import re
import signal
import subprocess
import sys

import psutil
import pytest

from tests.acceptance.system import ROOT
from tests.waiting import wait_for

DEMO = [sys.executable, "-m", "bench.demo", "--quick", "--stay", "--at-most", "900"]


@pytest.fixture
def demo(tmp_path):
    """Start the demo with its own place for temporary files; end it whatever happens."""
    log = (tmp_path / "demo.log").open("wb")
    (tmp_path / "tmp").mkdir()
    process = subprocess.Popen(
        DEMO, cwd=ROOT, stdout=log, stderr=log, env={"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path / "tmp")}
    )
    log.close()
    yield process, tmp_path
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    process.wait(120)


def said(folder):
    return (folder / "demo.log").read_text()


def test_the_mode_goes_to_the_queue_and_returns_and_ctrl_c_leaves_nothing(demo):
    process, folder = demo
    wait_for(lambda: process.poll() is not None or "The dashboard stays" in said(folder), 1200)
    text = said(folder)
    burst, switch, back = (
        text.index(words) for words in ("the deadline comes", "switched to the queue", "back to inline")
    )
    assert burst < switch < back
    assert re.search(r"p95 would be [\d.]+ s inline, limit 5 s: switched", text)
    assert re.search(r"Lost\s+│ nothing", text)
    assert re.search(r"PDFs\s+│ \d+, [1-9]\d* through the queue", text)
    assert "\r" not in text
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) > 5
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 130, said(folder)
    assert not [other for other in family if other.is_running()]
    assert not list((folder / "tmp").iterdir())
