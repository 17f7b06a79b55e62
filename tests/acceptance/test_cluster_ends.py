"""A cluster whose main process meets what nobody foresaw ends with all that it has started, and is started again."""

import os
import subprocess
import sys

import psutil
import pytest

from tests.acceptance.system import MANAGE, ROOT
from tests.waiting import wait_for

BROKEN = """
from django.core.management import call_command
from documents.operations.supervisor import Supervisor
def broken(self):
    raise KeyError("nobody foresaw this")
Supervisor.tick = broken
call_command("qcluster")
"""


@pytest.fixture
def environment(tmp_path):
    """An empty database, for commands in processes of their own."""
    environment = {"PATH": os.environ["PATH"], "SPMS_DATA_DIR": str(tmp_path)}
    subprocess.run([*MANAGE, "migrate", "-v", "0"], cwd=ROOT, env=environment, check=True)
    return environment


def test_it_ends_with_its_workers_and_says_why(environment):
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", BROKEN]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 1
    assert "nobody foresaw this" in ended.stderr


def test_it_ends_when_the_process_that_guards_the_workers_was_killed(environment, tmp_path):
    log = tmp_path / "log"
    with log.open("wb") as stream:
        main = subprocess.Popen(
            [*MANAGE, "qcluster"], cwd=ROOT, env=environment, stdout=stream, stderr=stream
        )
    wait_for(lambda: "running" in log.read_text())  # from now on, it sleeps until it is told to stop
    [guard] = psutil.Process(main.pid).children()
    workers = guard.children(recursive=True)
    guard.kill()
    assert main.wait(300) == 1
    assert "the cluster has died" in log.read_text()
    wait_for(lambda: not any(process.is_running() for process in workers))
