"""A whole system for tests: web and workers as processes of their own, on SQLite or a real PostgreSQL."""

import contextlib
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import psutil
import requests

from bench.ports import free_port
from tests.acceptance import sample_data, warm
from tests.acceptance.servers import children
from tests.waiting import wait_for

ROOT = Path(__file__).parent.parent.parent
MANAGE = [sys.executable, "manage.py"]
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
            "SPMS_EXPENSIVE_THROTTLE_RATE": "off",  # tests ask more often than a person
            "SPMS_PRERENDER_AFTER": "off",  # tests of something else say what is rendered when
            "PORT": str(self.port),
            **({"DATABASE_URL": database_url} if database_url else {}),
            **settings,
        }
        self.processes = []
        self.session = requests.Session()
        # A connection that rests is ended by the server after five seconds, perhaps just when it is used again.
        self.session.headers["Connection"] = "close"

    @contextlib.contextmanager
    def running(self, *, supervised=False):
        """Prepare it, start web and workers, and stop it all afterwards, however it goes."""
        try:
            self.prepare()
            self.start_web(supervised=supervised)
            self.start_workers()
            if self.environment["SPMS_MODE"] == "queue":
                self.wait_for_workers()
            else:
                self.wait_until_workers_are_listed()
            yield self
        finally:
            self.stop()

    @contextlib.contextmanager
    def serving(self):
        """Prepare it, start the web alone, and stop it afterwards, however it goes."""
        try:
            self.prepare()
            self.start_web()
            yield self
        finally:
            self.stop()

    def prepare(self):
        """Make the database and the sample data; everything is asked as the maintainer."""
        self.session.headers["Authorization"] = sample_data.give(self)

    def manage(self, *command):
        ended = warm.run(command, self.environment)
        assert ended.returncode == 0, (command, ended.stdout, ended.stderr)
        return ended

    def start(self, *command, **settings):
        log = (self.folder / "processes.log").open("ab")
        environment = self.environment | settings
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        log.close()
        self.processes.append(process)
        return process

    def start_web(self, *, supervised=False, on=()):
        command = [sys.executable, "-m", "gunicorn", "-c", "python:spms.gunicorn", "spms.wsgi"]
        # Where all is queued, the web renders nothing: one rendering process is enough to be as in real life.
        fewer = {"SPMS_RENDER_SLOTS": "1"} if self.environment["SPMS_MODE"] == "queue" else {}
        web = self.start(*on, *(["deploy/keep.sh"] if supervised else []), *command, **fewer)
        wait_for(self.is_up)
        return web

    def start_workers(self, *, supervised=True, on=()):
        """Start a cluster, as the process manager does: again when it ends badly.

        ``on`` is what to put before the command.
        """
        return self.start(*on, *(["deploy/keep.sh"] if supervised else []), *self._worker_command())

    def _worker_command(self):
        return WORKERS[self.environment.get("SPMS_QUEUE_BACKEND", "django-q")]

    def wait_for_workers(self, count=2):
        """Wait until the workers are there, and the web server knows it."""
        self.wait_until_workers_are_listed(count)
        plan = self.documents(kind="concept_plan")[0]
        answer = wait_for(lambda: (response := self.make(plan)).status_code == 202 and response)
        self.ended(answer.json()["task_id"])

    def wait_until_workers_are_listed(self, count=2):
        """Wait until each has its rendering process; one without takes tasks already."""
        wait_for(lambda: len(self.workers()) >= count)

    def is_up(self):
        try:
            return self.session.get(f"{self.address}/healthz/live", timeout=2).ok
        except requests.RequestException:  # nobody listens yet, or it is still loading
            return False

    def call(self, method, path, **options):
        return self.session.request(method, f"{self.address}/api/v1/{path}", timeout=180, **options)

    def documents(self, **filters):
        return self.call("GET", "documents/", params={"page_size": 100, **filters}).json()["results"]

    def document(self, **filters):
        """Return the only document that the filters leave, with its sections."""
        [item] = self.documents(**filters)
        return self.call("GET", f"documents/{item['id']}/").json()

    def long_document(self, lines=1300):
        """Return a project plan, changed into some seconds of work for one rendering process."""
        return self.lengthen(self.documents(kind="project_plan")[-1], lines)

    def lengthen(self, plan, lines=1300):
        """Change a plan into some seconds of work for one rendering process."""
        text = f"<p>Version {uuid.uuid4()}.</p>" + f"<p>{LINE}</p>" * lines
        changed = self.call("PATCH", f"documents/{plan['id']}/", json={"sections": {"background": text}})
        assert changed.ok, changed.text
        return changed.json()

    def make(self, document, **options):
        """Ask for a PDF that is made whatever there is already, and return the answer."""
        return self.call("POST", f"documents/{document['id']}/pdf/", params={"force": "true"}, **options)

    def ended(self, task_id, seconds=180.0):
        """Return the task when it has ended."""

        def look():
            task = self.call("GET", f"tasks/{task_id}/", params={"wait": 5}).json()
            return task["status"] not in {"queued", "running", "retrying"} and task

        return wait_for(look, seconds)

    def lapse(self):
        """End the claims of those who were killed at once; test_hosts.py and test_chaos.py wait for their end."""
        script = (
            "from django.utils import timezone; from documents.models import Task; "
            "Task.objects.filter(status='running').update(lease_until=timezone.now())"
        )
        self.manage("shell", "-v", "0", "-c", script)

    def workers(self):
        """Return the worker processes that are ready: each has its rendering process."""
        mains = {main.pid for main in self.clusters()}
        family = [process for process in at_and_below(mains) if process.pid not in mains]
        parents = {parent for process in family if (parent := ppid(process))}
        rendering = [process for process in family if process.pid not in parents]
        workers = {ppid(process) for process in rendering} - {
            ppid(main) for main in family if main.pid in parents
        }
        return [process for process in family if process.pid in workers]

    def clusters(self):
        """Return the main processes of the clusters."""
        command = [*self._worker_command()][1:]
        clusters = [process for process in self.descendants() if cmdline(process)[1:] == command]
        return [process for process in clusters if ppid(process) not in {other.pid for other in clusters}]

    def main(self):
        """Return the main process of the one cluster."""
        [main] = self.clusters()
        return main

    def descendants(self):
        return at_and_below(process.pid for process in self.processes if process.poll() is None)

    def log(self):
        return (self.folder / "processes.log").read_text()

    def stop(self):
        """End all that was started, whatever state it is in."""
        family = self.descendants()
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        psutil.wait_procs(family, timeout=60)
        for process in family:
            if process.is_running():
                process.kill()
        for process in self.processes:
            process.wait(60)


def at_and_below(pids):
    """Return the processes of these ids and all below them; one look at all processes, for it is asked very often."""
    family, ids = [], set(pids)
    for process in children(psutil.Process()):  # parents come before their children
        if process.pid in ids or ppid(process) in ids:
            ids.add(process.pid)
            family.append(process)
    return family


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
