"""The live web processes: one row each, with a heartbeat from a thread of its own."""

import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.models.functions import Now

from metrics.decisions.hosts import WebReport
from metrics.models import WebProcess

HEARTBEAT_INTERVAL_SECONDS = 10.0
FRESH = timedelta(seconds=30)
FORGOTTEN = timedelta(hours=1)
STOP_SECONDS = 2.0

logger = logging.getLogger(__name__)

_heartbeats: list["Heartbeat"] = []


def host_name() -> str:
    """Return this machine's name, by which web processes, workers and counts belong together."""
    return settings.HOST_NAME


def live() -> list[WebReport]:
    """Return the reports of the web processes with a fresh heartbeat.

    The database's clock dates heartbeats, so that a host whose clock is wrong counts like any other.
    """
    return [
        WebReport(host=process.host, threads=process.threads, render_slots=process.render_slots)
        for process in WebProcess.objects.annotate(read_at=Now())
        if abs(process.read_at - process.seen_at) <= FRESH
    ]


def start_heartbeat(*, threads: int, render_slots: int) -> None:
    """Report this web process from now on, in a thread of its own."""
    _heartbeats.append(Heartbeat(threads=threads, render_slots=render_slots))
    _heartbeats[-1].start()


def stop_heartbeat() -> None:
    """Withdraw the report of this web process, if it made one."""
    while _heartbeats:
        _heartbeats.pop().stop()


class Heartbeat:
    """Reports this web process until it is stopped: no request waits for it."""

    def __init__(self, *, threads: int, render_slots: int) -> None:
        self._name = f"{host_name()}:{os.getpid()}:{time.time_ns() // 1_000_000:x}"
        self._values = {"host": host_name(), "threads": threads, "render_slots": render_slots}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Report now, and regularly from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Withdraw the report; while the database is away, it expires instead."""
        self._stop.set()
        self._thread.join(STOP_SECONDS)

    def beat(self) -> None:
        """Report this process. Raises DatabaseError and InterfaceError."""
        row = WebProcess.objects.filter(name=self._name)
        if not row.update(seen_at=Now()):
            WebProcess.objects.create(name=self._name, seen_at=Now(), **self._values)
            _remove_forgotten()

    def _run(self) -> None:
        while True:
            self._try(self.beat)
            if self._stop.wait(HEARTBEAT_INTERVAL_SECONDS):
                break
        self._try(lambda: WebProcess.objects.filter(name=self._name).delete())
        connection.close()

    def _try(self, write: Callable[[], object]) -> None:
        try:
            write()
        except (DatabaseError, InterfaceError) as error:
            logger.warning("this web process could not report itself: %s", str(error).strip())
            connection.close()


def _remove_forgotten() -> None:
    """Remove the rows of processes that were killed long ago, or dated far in the future."""
    rows = WebProcess.objects.annotate(read_at=Now())
    forgotten = [process.pk for process in rows if abs(process.read_at - process.seen_at) > FORGOTTEN]
    WebProcess.objects.filter(pk__in=forgotten).delete()
