"""Bring compose.yaml up with podman and use it; part of prove-compose.sh, which builds the images."""

import functools
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import requests

from deploy import prove_site

PROMETHEUS = "http://127.0.0.1:9090"
WITHIN_SECONDS = 120
FIRST_AREA = 'from documents.models import BusinessArea; BusinessArea.objects.create(name="Marine")'
SERVICES = ("web", "evaluator", "worker", "worker-metrics", "prometheus")
LEFT_OUT = (
    "Docker itself, and the official images: Debian's PostgreSQL and Prometheus take their names",
    "Grafana, Redis and Flower: Debian has no Grafana, and the profile celery is off",
    "the order of depends_on (podman 4.3 does not wait): services are started in that order by hand",
    "the timer of health checks, which is systemd's: they are run by hand",
)


def main() -> None:
    """Start the services, use the site, and see health checks and restarts work; exits with 1 at a fault."""
    write_settings()
    for service in ("database", "migrate", "prometheus-files"):
        start(service)
        wait_for(f"{service} is healthy or has ended", functools.partial(is_done, service))
    start(*SERVICES)
    run("podman", "exec", *environment_options(), container("web"), "spms", "createsuperuser", "--noinput")
    run("podman", "exec", container("web"), "spms", "shell", "-v", "0", "-c", FIRST_AREA)
    prove_site.use()
    say("a PDF was made inline and one through the queue")
    check_prometheus()
    check_health()
    check_restart()
    prove_site.use()
    run("podman", "exec", container("web"), "spms", "backup")
    check_stop()
    say("\n  ".join(["everything else worked; left out:", *LEFT_OUT]))


def write_settings() -> None:
    """Write ``.env`` as docs/deployment.md says, with a free port and no proxy in front."""
    names = ("POSTGRES_PASSWORD", "SECRET_KEY", "SPMS_METRICS_TOKEN", "GRAFANA_PASSWORD")
    values = {name: secrets.token_hex(32) for name in names} | {
        "ALLOWED_HOSTS": "spms.example.org",
        "CSRF_TRUSTED_ORIGINS": "https://spms.example.org",
        "SPMS_URL": "https://spms.example.org",
        "SPMS_QUEUE_WORKERS": "2",
        "SPMS_IMAGE": "localhost/spms:local",
        "SPMS_PORT": prove_site.SITE.rpartition(":")[2],
    }
    Path(".env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))


def start(*services: str) -> None:
    """Start services, not what they depend on."""
    say(f"starting {', '.join(services)}")
    run("podman-compose", "--in-pod", "false", "up", "--detach", "--no-deps", *services)


def is_done(service: str) -> bool:
    """Return True for a healthy container, or one that ended as it should. Exits if it failed."""
    state = inspect(service)["State"]
    if state["Running"]:
        return service == "database" and is_healthy(service)
    if state["ExitCode"]:
        sys.exit(f"spms: {service} ended with {state['ExitCode']}: {logs(service)}")
    return True


def is_healthy(service: str) -> bool:
    """Run the health check of a container."""
    return attempt("podman", "healthcheck", "run", container(service)).returncode == 0


def check_prometheus() -> None:
    """See that Prometheus reads both exporters and has the alert rules."""

    def targets() -> set[tuple[str, str]]:
        active = requests.get(f"{PROMETHEUS}/api/v1/targets", timeout=10).json()["data"]["activeTargets"]
        return {(target["labels"]["instance"], target["health"]) for target in active}

    wait_for(
        "Prometheus reads web and worker", lambda: len(up := targets()) > 1 and {h for _, h in up} == {"up"}
    )
    groups = requests.get(f"{PROMETHEUS}/api/v1/rules", timeout=10).json()["data"]["groups"]
    say(f"Prometheus has {sum(len(group['rules']) for group in groups)} rules")


def check_health() -> None:
    """See that the health check of the web fails while the web does not answer."""
    wait_for("web is healthy", lambda: is_healthy("web"))
    frozen = [int(pid) for pid in run("podman", "top", container("web"), "hpid").split()[1:]]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    is_noticed = not is_healthy("web")
    for pid in frozen:
        os.kill(pid, signal.SIGCONT)
    if not is_noticed:
        sys.exit("spms: web is healthy although all its processes are stopped")
    wait_for("web is healthy again", lambda: is_healthy("web"))


def check_restart() -> None:
    """Kill the main process of the worker and of the web: each is started again."""
    for service in ("worker", "web"):
        pid = inspect(service)["State"]["Pid"]
        os.kill(pid, signal.SIGKILL)
        wait_for(f"{service} was killed and runs again", functools.partial(is_restarted, service, pid))


def is_restarted(service: str, killed_pid: int) -> bool:
    """Return True if a container runs with another main process."""
    state = inspect(service)["State"]
    return bool(state["Running"]) and state["Pid"] != killed_pid


def check_stop() -> None:
    """See that the services end with 0 when they are told to stop."""
    for service in ("worker", "web", "evaluator", "worker-metrics"):
        run("podman", "stop", "--time", "45", container(service))
        code = inspect(service)["State"]["ExitCode"]
        if code:
            sys.exit(f"spms: {service} ended with {code} when it was stopped: {logs(service)}")
    say("web, worker, evaluator and metrics ended with 0 when they were stopped")


def container(service: str) -> str:
    """Return the name of a service's container."""
    return "spms-worker" if service == "worker" else f"spms_{service}_1"


def inspect(service: str) -> dict[str, dict[str, int | bool]]:
    """Return what podman knows of a container."""
    [facts] = json.loads(run("podman", "inspect", container(service)))
    return facts  # type: ignore[no-any-return]


def logs(service: str) -> str:
    """Return the end of a container's log."""
    printed = attempt("podman", "logs", "--tail", "20", container(service))
    return printed.stdout + printed.stderr


def environment_options() -> list[str]:
    """Return the options that give a container what ``createsuperuser --noinput`` reads."""
    return [word for name, value in prove_site.MAINTAINER.items() for word in ("--env", f"{name}={value}")]


def run(*command: str) -> str:
    """Run a command and return what it prints. Exits with 1 if it fails."""
    ended = attempt(*command)
    if ended.returncode:
        sys.exit(f"spms: {' '.join(command)} failed:\n{ended.stdout}{ended.stderr}")
    return ended.stdout


def attempt(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command, whatever its exit code."""
    return subprocess.run(command, capture_output=True, text=True, check=False)


def wait_for(what: str, condition: Callable[[], object]) -> None:
    """Wait until a condition holds, and print it. Exits with 1 if it does not within WITHIN_SECONDS."""
    ends = time.monotonic() + WITHIN_SECONDS
    while not condition():
        if time.monotonic() > ends:
            sys.exit(f"spms: this did not come true: {what}")
        time.sleep(0.5)
    say(what)


def say(line: str) -> None:
    """Print a line at once."""
    print(f"spms: {line}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
