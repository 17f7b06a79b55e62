"""A cluster whose main process meets what nobody foresaw ends with all that it has started, and is started again."""

import os
import subprocess
import sys

from tests.acceptance.system import MANAGE, ROOT

BROKEN = """
from django.core.management import call_command
from documents.operations.supervisor import Supervisor
def broken(self):
    raise KeyError("nobody foresaw this")
Supervisor.tick = broken
call_command("qcluster")
"""


def test_it_ends_with_its_workers_and_says_why(tmp_path):
    environment = {"PATH": os.environ["PATH"], "SPMS_DATA_DIR": str(tmp_path)}
    subprocess.run([*MANAGE, "migrate", "-v", "0"], cwd=ROOT, env=environment, check=True)
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", BROKEN]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 1
    assert "nobody foresaw this" in ended.stderr
