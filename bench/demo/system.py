"""The system that the demo plays against: started as ``make run`` does, on a data folder and a port of its own."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import urllib3

from bench.ports import free_port

ROOT = Path(__file__).parent.parent.parent
THRESHOLDS = Path(__file__).parent / "thresholds.yaml"
EVALUATE_EVERY = "2s"
START_SECONDS = 120.0
STOP_SECONDS = 20.0
# As large on every machine, so that the load is, too.
SIZES = {"SPMS_RENDER_SLOTS": "2", "SPMS_INLINE_SLOTS": "2", "SPMS_QUEUE_WORKERS": "2"}
# What a .env of this folder must not change: the demo touches no database, bucket or mailbox but its own.
OWN = {
    "SPMS_MODE": "auto",
    "SPMS_HTTPS": "false",
    "SPMS_LOGS": "lines",
    "SPMS_EXPENSIVE_THROTTLE_RATE": "off",
    "SPMS_FILE_STORAGE": "local",
    "SPMS_QUEUE_BACKEND": "django-q",
    "SPMS_ALERT_MAIL": "",
    "SPMS_ALERT_WEBHOOK": "",
    "ALLOWED_HOSTS": "127.0.0.1",
    "EMAIL_URL": "consolemail://",
    "PROMETHEUS_URL": "",
    "SENTRY_DSN": "",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "",
}


@dataclass(frozen=True, kw_only=True)
class System:
    """A running system: its address, and the log of its processes."""

    url: str
    log: Path


@contextlib.contextmanager
def running(port: int | None = None) -> Iterator[System]:
    """Start a system with the sample data; end it and remove its data folder afterwards, however it goes."""
    with tempfile.TemporaryDirectory(prefix="spms-demo-") as folder:
        system = System(url=f"http://127.0.0.1:{port or free_port()}", log=Path(folder) / "processes.log")
        environment = _environment(Path(folder), system.url)
        for command in ("migrate", "collectstatic --noinput", "load_sample_data"):
            _manage(command.split(), environment, system.log)
        with _started(_honcho(Path(folder)), environment, system.log) as process:
            _wait_until_ready(system, process)
            yield system


def _environment(folder: Path, url: str) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {
        **inherited,
        **OWN,
        **SIZES,
        "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
        "SPMS_DATA_DIR": str(folder),
        "SPMS_THRESHOLDS": str(THRESHOLDS),
        "SPMS_URL": url,
        "PORT": url.rpartition(":")[2],
    }


def _manage(command: list[str], environment: dict[str, str], log: Path) -> None:
    with log.open("a") as stream:
        ended = subprocess.run(
            [sys.executable, "manage.py", *command],
            check=False,
            cwd=ROOT,
            env=environment,
            stdout=stream,
            stderr=stream,
        )
    if ended.returncode:
        raise SystemExit(f"demo: manage.py {command[0]} failed: {_last_line(log)}")


def _honcho(folder: Path) -> list[str]:
    """Return the command that starts the processes of the Procfile, with an evaluator that looks more often."""
    programs = Path(sys.executable).parent
    text = (ROOT / "Procfile").read_text().replace(".venv/bin", str(programs))
    procfile = folder / "Procfile"
    procfile.write_text(text.replace("--every 15s", f"--every {EVALUATE_EVERY}"))
    # Honcho starts the processes in the folder of its Procfile unless it is told another one.
    return [str(programs / "honcho"), "-f", str(procfile), "-d", str(ROOT), "start"]


@contextlib.contextmanager
def _started(command: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as stream:
        # In a session of its own: Ctrl-C reaches the demo alone, which then ends the system in order.
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=stream, stderr=stream, start_new_session=True
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and everything that it started, by their ids."""
    family: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
    for left in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            left.kill()
    psutil.wait_procs(alive, timeout=STOP_SECONDS)
    process.kill()
    process.wait()


def _wait_until_ready(system: System, process: subprocess.Popen[bytes]) -> None:
    give_up_at = time.monotonic() + START_SECONDS
    http = urllib3.PoolManager(retries=False, timeout=5)
    while time.monotonic() < give_up_at and process.poll() is None:
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            if http.request("GET", f"{system.url}/healthz/ready").status == 200:
                return
        time.sleep(0.1)
    raise SystemExit(f"demo: the system did not start: {_last_line(system.log)}")


def _last_line(log: Path) -> str:
    return (log.read_text().strip().splitlines() or ["it wrote nothing"])[-1]
