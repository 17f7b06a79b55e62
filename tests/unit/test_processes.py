"""Who works on a data folder is known, and whoever restores it is alone."""

import ctypes
import subprocess
import sys
import time
from pathlib import Path

import pytest

from documents.infrastructure import data_dir_lock

ROOT = Path(__file__).parent.parent.parent
WORK = """
import pathlib, sys
from documents.infrastructure import data_dir_lock
folder = pathlib.Path(sys.argv[1])
(folder / "asks").touch()
data_dir_lock.hold_shared_lock(folder)
(folder / "works").touch()
sys.stdin.read()
"""


def wait_for(path, seconds):
    give_up_at = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < give_up_at:
        time.sleep(0.02)
    return path.exists()


def is_alone(folder):
    with data_dir_lock.exclusive_lock(folder) as answer:
        return answer


def test_work_waits_for_a_restore_and_a_restore_notices_work(tmp_path):
    command = [sys.executable, "-c", WORK, str(tmp_path)]
    with data_dir_lock.exclusive_lock(tmp_path) as first:
        worker = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE)
        assert first
        assert wait_for(tmp_path / "asks", 120)
        assert not wait_for(tmp_path / "works", 0.5)
    assert wait_for(tmp_path / "works", 120)
    assert not is_alone(tmp_path)
    worker.communicate()
    assert is_alone(tmp_path)


MANY_THREADS = """
import ctypes, threading
from documents.infrastructure import processes
processes.limit_malloc_arenas()
barrier = threading.Barrier(8)
def take():
    barrier.wait()
    blocks = [bytearray(4000) for _ in range(500)]
    barrier.wait()
threads = [threading.Thread(target=take) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
ctypes.CDLL(None).malloc_stats()
"""
# What a forked process has for itself, in MB, after the collector looked through everything.
FORKED = """
import gc, os, psutil
from documents.infrastructure import processes
loaded = [{number: [number]} for number in range(200_000)]
processes.freeze_gc_before_fork()
if os.fork() == 0:
    gc.collect()
    print(psutil.Process().memory_full_info().uss // 1_000_000, flush=True)
    os._exit(0)
os.wait()
"""


def run(script):
    return subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_stats"), reason="only glibc has arenas")
def test_many_threads_share_two_pools_of_memory():
    assert run(MANY_THREADS).stderr.count("Arena") <= 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process has for itself")
def test_a_forked_process_does_not_copy_what_is_loaded():
    assert int(run(FORKED).stdout) < 20
