"""Flower, started as docs/engines.md says."""

import contextlib
import subprocess
import sys

import requests

from bench.ports import free_port
from tests.acceptance.system import ROOT
from tests.waiting import wait_for

PERSON = ("watcher", "only-for-this-test")


class Flower:
    """Flower beside the workers of an environment; its API is asked as ``PERSON``."""

    def __init__(self, environment, log_file):
        port = free_port()
        self.address = f"http://127.0.0.1:{port}/api"
        options = (f"--port={port}", "--address=127.0.0.1", f"--basic-auth={':'.join(PERSON)}")
        command = (sys.executable, "-m", "celery", "-A", "spms.task_backends.celery", "flower", *options)
        with log_file.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        wait_for(self._is_up)

    def get(self, path, auth=PERSON):
        return requests.get(f"{self.address}/{path}", auth=auth, timeout=30)

    def _is_up(self):
        assert self._process.poll() is None
        with contextlib.suppress(requests.ConnectionError):
            return self.get("workers").ok

    def stop(self):
        self._process.terminate()
        self._process.wait(120)
