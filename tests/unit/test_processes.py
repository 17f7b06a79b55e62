"""Who works on a data folder is known, and whoever restores it is alone."""

import subprocess
import sys
import time
from pathlib import Path

from documents import processes

ROOT = Path(__file__).parent.parent.parent
WORK = """
import pathlib, sys
from documents import processes
folder = pathlib.Path(sys.argv[1])
(folder / "asks").touch()
processes.work_on(folder)
(folder / "works").touch()
sys.stdin.read()
"""


def wait_for(path, seconds):
    give_up_at = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < give_up_at:
        time.sleep(0.02)
    return path.exists()


def is_alone(folder):
    with processes.alone(folder) as answer:
        return answer


def test_work_waits_for_a_restore_and_a_restore_notices_work(tmp_path):
    command = [sys.executable, "-c", WORK, str(tmp_path)]
    with processes.alone(tmp_path) as first:
        worker = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE)
        assert first
        assert wait_for(tmp_path / "asks", 20)
        assert not wait_for(tmp_path / "works", 0.5)
    assert wait_for(tmp_path / "works", 20)
    assert not is_alone(tmp_path)
    worker.communicate()
    assert is_alone(tmp_path)
