"""The real server, started for the measurements and ended after them."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

ROOT = Path(__file__).parent.parent
START_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server: its address and the process that serves requests."""

    url: str
    worker: psutil.Process

    def session(self, token: str) -> requests.Session:
        """Return a client that keeps its connection."""
        client = requests.Session()
        client.headers["Authorization"] = f"Token {token}"
        return client


@contextlib.contextmanager
def running(**settings: str) -> Iterator[Server]:
    """Start gunicorn as ``make run`` does, on a free port of this machine; end it afterwards."""
    port = _free_port()
    command = [sys.executable, "-m", "gunicorn", "-c", "python:spms.gunicorn", "spms.wsgi"]
    environment = {**os.environ, **settings, "PORT": str(port)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(url)
        time.sleep(2)  # its rendering processes warm up
        [worker] = [
            child
            for child in psutil.Process(process.pid).children()
            if "gunicorn" in " ".join(child.cmdline())
        ]
        yield Server(url=url, worker=worker)
    finally:
        process.terminate()
        process.wait(60)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(f"{url}/healthz/ready", timeout=5).ok:
                return
        time.sleep(0.1)
    raise SystemExit("bench: the server did not start")
