"""The system as people start it: the README's session, and no process left behind."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pypdfium2
import pytest

from bench.ports import free_port
from tests.acceptance.system import System
from tests.waiting import wait_for

ROOT = Path(__file__).parent.parent.parent
SERVE = [sys.executable, "-m", "gunicorn", "-c", "python:spms.gunicorn", "spms.wsgi"]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A server with the sample data, as ``make run`` starts it: its port and its process."""
    port = free_port()
    folder = tmp_path_factory.mktemp("data")
    environment = {"PATH": os.environ["PATH"], "SPMS_DATA_DIR": str(folder), "PORT": str(port)}
    environment |= {"SPMS_INLINE_DEADLINE": "90s"}
    System(folder).prepare()
    started = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
        for command in (SERVE, [sys.executable, "manage.py", "qcluster"])
    ]
    try:
        wait_for(lambda: status(port, "/healthz/ready") == "200")
        yield port, started[0]
    finally:
        for process in started:
            process.kill()
            process.wait()


def status(port, path):
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{port}{path}"]
    return subprocess.run(command, capture_output=True, text=True).stdout


@pytest.mark.xdist_group("running")
def test_the_session_of_the_readme_works_as_printed(running, tmp_path):
    port, _ = running
    readme = (ROOT / "README.md").read_text()
    session = re.search(r"<!-- session -->\n```sh\n(.*?)```", readme, re.DOTALL)
    assert session is not None
    script = re.sub(r"^xdg-open.*", "", session[1], flags=re.MULTILINE).replace(":8000/", f":{port}/")
    script = script.replace("?wait=30", "?wait=60")
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert "HTTP 201" in ended.stdout
    assert "HTTP 202" in ended.stderr
    assert '"status":"succeeded"' in ended.stdout
    pdf = pypdfium2.PdfDocument(tmp_path / "plan.pdf")
    assert "Count every turtle, twice." in "".join(page.get_textpage().get_text_range() for page in pdf)


@pytest.mark.xdist_group("running")
def test_pages_for_people_are_served_with_their_static_files(running):
    port, _ = running
    for path in ("/api/docs/", "/api/schema/", "/admin/login/", "/login/", "/healthz/live"):
        assert status(port, path) == "200", path


@pytest.mark.xdist_group("running")
def test_no_process_is_left_when_the_server_is_told_to_stop(running):
    _, server = running
    processes = psutil.Process(server.pid).children(recursive=True)
    assert len(processes) > 1
    server.send_signal(signal.SIGTERM)
    server.wait(120)
    wait_for(lambda: not any(process.is_running() for process in processes))
