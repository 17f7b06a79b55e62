"""The processes that are measured: the real server, and bare WeasyPrint; ended whatever happens."""

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from bench.ports import free_port

ROOT = Path(__file__).parent.parent
IS_READY = r" (running|ready)\."  # what Django-Q2 and Celery say
START_SECONDS = 60.0
STOP_SECONDS = 45.0
GUNICORN = [sys.executable, "-m", "gunicorn", "-c", "python:spms.gunicorn", "spms.wsgi"]
QCLUSTER = [sys.executable, "manage.py", "qcluster"]
CLUSTERS = {
    "django-q": QCLUSTER,
    "celery": [sys.executable, "-m", "celery", "-A", "spms.task_backends.celery", "worker"],
}
EVALUATOR = [sys.executable, "manage.py", "evaluate_thresholds", "--every", "15s"]


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server: its address and the process that serves requests."""

    url: str
    worker: psutil.Process

    def session(self, token: str) -> requests.Session:
        """Return a client that keeps its connection."""
        client = requests.Session()
        client.trust_env = False  # neither proxies nor a netrc of this machine
        client.headers["Authorization"] = f"Token {token}"
        return client


@contextlib.contextmanager
def running(folder: Path, *, on: Sequence[str] = (), **settings: str) -> Iterator[Server]:
    """Start gunicorn as ``make run`` does, on a free port of this machine; end it afterwards.

    ``on`` is put before the command, to run it on a host of ``bench.hosts``.
    """
    port = free_port()
    url, log = f"http://127.0.0.1:{port}", folder / f"server-{port}.log"
    with started([*on, *GUNICORN], log, {**settings, "PORT": str(port)}) as process:
        wait_until_ready(process, url, log)
        worker = _worker(process)
        wait_until_quiet(worker)
        yield Server(url=url, worker=worker)


@contextlib.contextmanager
def workers(folder: Path, settings: dict[str, str], *, on: Sequence[str] = ()) -> Iterator[psutil.Process]:
    """Start a cluster of the queue; end it afterwards. ``on`` is put before the command."""
    command = CLUSTERS[settings.get("SPMS_QUEUE_BACKEND", "django-q")]
    log = folder / f"workers-{free_port()}.log"
    with started([*on, *command], log, settings) as process:
        deadline = time.monotonic() + START_SECONDS
        while not re.search(IS_READY, log.read_text()) and time.monotonic() < deadline:
            time.sleep(0.1)
        cluster = psutil.Process(process.pid)
        wait_until_quiet(cluster)
        yield cluster


@contextlib.contextmanager
def evaluator(folder: Path, settings: dict[str, str], *, on: Sequence[str] = ()) -> Iterator[psutil.Process]:
    """Start an evaluator of the limits as ``make run`` does; end it afterwards. ``on`` is put before the command."""
    with started([*on, *EVALUATOR], folder / "evaluator.log", settings) as process:
        evaluating = psutil.Process(process.pid)
        _wait_until_constant(lambda: cpu_seconds(evaluating))  # its start and its first evaluation
        yield evaluating


@contextlib.contextmanager
def started(command: list[str], log: Path, settings: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program of ours that writes into a log; end it and what it started afterwards."""
    with log.open("w") as stream:
        environment = {**os.environ, **settings}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=stream, stderr=stream)
    try:
        yield process
    finally:
        _end(process)


@contextlib.contextmanager
def bare_weasyprint(environment: dict[str, str]) -> Iterator[Callable[[Path], tuple[float, int]]]:
    """Run bare WeasyPrint in a warm process; call with an HTML file to get seconds and pages."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.bare"],
        cwd=ROOT,
        stdin=pipe,
        stdout=pipe,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def render(html: Path) -> tuple[float, int]:
        stdin.write(f"{html}\n")
        stdin.flush()
        seconds, pages = stdout.readline().split()
        return float(seconds), int(pages)

    try:
        yield render
    finally:
        _end(process)
        stdout.close()


def _end(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """End a process and what it started, by their ids."""
    started: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        started = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        for left in started:
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()


def wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Wait until the server can do its work; ends this program when it does not start."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(requests.ConnectionError, requests.Timeout):
            if requests.get(f"{url}/healthz/ready", timeout=5).ok:
                return
        time.sleep(0.02)
    last = (log.read_text().strip().splitlines() or ["it said nothing"])[-1]
    raise SystemExit(f"bench: the server did not start: {last}")


def _worker(master: subprocess.Popen[bytes]) -> psutil.Process:
    [worker] = psutil.Process(master.pid).children()
    return worker


def wait_until_quiet(worker: psutil.Process) -> None:
    """Wait until the rendering processes are warm: they compute no more."""
    _wait_until_constant(lambda: sum(map(cpu_seconds, worker.children(recursive=True))))


def _wait_until_constant(computed_seconds: Callable[[], float]) -> None:
    deadline = time.monotonic() + START_SECONDS
    before, now = -1.0, 0.0
    while before != now and time.monotonic() < deadline:
        time.sleep(0.5)
        before, now = now, computed_seconds()


def cpu_seconds(process: psutil.Process) -> float:
    """Return the computing time of a process; none of one that has ended."""
    try:
        return float(sum(process.cpu_times()[:2]))
    except psutil.NoSuchProcess:
        return 0.0
