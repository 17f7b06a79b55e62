"""Kills processes of a system at random, and counts what became of the tasks that clients asked for meanwhile."""

import contextlib
import random
from collections import Counter
from typing import Any

import psutil

from tests.acceptance.servers import children
from tests.acceptance.system import cmdline
from tests.waiting import wait_for

KILL_EVERY_SECONDS = 2.0
AMID_WORK = ("busy worker", "rendering process")
# Writes down each time that a task becomes succeeded, so that a second time could not hide.
WATCH = """
CREATE TABLE published (task_id uuid, at timestamptz DEFAULT now());
CREATE FUNCTION note_published() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO published (task_id) VALUES (NEW.id); RETURN NEW; END $$;
CREATE TRIGGER watch AFTER UPDATE ON documents_task FOR EACH ROW
WHEN (NEW.status = 'succeeded' AND (OLD.status, OLD.file) IS DISTINCT FROM (NEW.status, NEW.file))
EXECUTE FUNCTION note_published();
"""
COUNT = "SELECT task_id::text, count(*) FROM published GROUP BY 1"


class Killer:
    """Kills processes of a system with -9, and counts them."""

    def __init__(self, system, seed):
        self._system = system
        self._random = random.Random(seed)
        self.killed: Counter[str] = Counter()

    def strike(self):
        """Kill one process of a kind that there is."""
        names = [*self._finders()]
        self._random.shuffle(names)
        next(name for name in names if self.strike_at(name))

    def strike_at(self, name):
        """Kill a process of a kind; return whether there was one."""
        processes = self._finders()[name]()
        if processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                self._random.choice(processes).kill()
                self.killed[name] += 1
        return bool(processes)

    def _finders(self):
        return {
            "web process": self._web_workers,
            "web server": self._web_servers,
            "busy worker": self._busy_workers,
            "idle worker": self._idle_workers,
            "rendering process": self._rendering,
            "cluster": self._clusters,
        }

    @property
    def killed_amid_work(self):
        """Return how many of them were at work on a task."""
        return sum(self.killed[name] for name in AMID_WORK)

    def _named(self, *words):
        return [
            process
            for process in self._system.descendants()
            if words == tuple(cmdline(process)[1 : len(words) + 1])
        ]

    def _outermost(self, processes):
        return [
            process for process in processes if not any(parent in processes for parent in process.parents())
        ]

    def _web_servers(self):
        return self._outermost(self._named("-m", "gunicorn"))

    def _web_workers(self):
        return [process for process in self._named("-m", "gunicorn") if process not in self._web_servers()]

    def _clusters(self):
        return self._system.clusters()

    def _busy_workers(self):
        return [process for process in self._system.workers() if process in self._rendering_parents()]

    def _idle_workers(self):
        return [process for process in self._system.workers() if process not in self._rendering_parents()]

    def _rendering(self):
        """Return the rendering processes of the workers that compute at this moment."""
        rendering = [child for worker in self._system.workers() for child in children(worker)]
        return [process for process in rendering if is_computing(process)]

    def _rendering_parents(self):
        return {parent for process in self._rendering() if (parent := parent_of(process))}


def parent_of(process):
    try:
        return process.parent()
    except psutil.Error:
        return None


def is_computing(process):
    try:
        return process.status() in {psutil.STATUS_RUNNING, psutil.STATUS_DISK_SLEEP}
    except psutil.Error:
        return False


def all_ended(system, task_ids, seconds):
    """Return what the API says of each task once all have ended."""
    ended: dict[str, dict[str, Any]] = {}

    def look():
        for task_id in task_ids - ended.keys():
            task = system.call("GET", f"tasks/{task_id}/", params={"wait": 5}).json()
            if task["status"] in {"succeeded", "failed", "cancelled"}:
                ended[task_id] = task
            else:
                return False
        return True

    wait_for(look, seconds)
    return ended
