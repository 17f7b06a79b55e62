"""The supervisor of a cluster, whatever its queue backend: heartbeat, recovery, notifications, schedules."""

import itertools
import logging
import threading

from django.db import DatabaseError, InterfaceError, connection

from documents.infrastructure import processes
from documents.operations import periodic, scheduled_reports
from documents.operations.prerenders.supervision import Prerenderer
from documents.queue import clusters, hints
from documents.tasks import alerts
from documents.tasks.cycles import task as cycle_task
from documents.tasks.notifications import task as notification_task

TICK_INTERVAL_SECONDS = 1.0
TICKS_PER_HEARTBEAT = 3
TICKS_PER_MEASUREMENT = 15

logger = logging.getLogger(__name__)


class Supervisor:
    """Supervises one cluster of workers; call ``tick`` about once a second, from one thread."""

    def __init__(self, name: str, worker_count: int) -> None:
        self._name, self._worker_count = name, worker_count
        self._ticks = itertools.count()
        self._prerenderer = Prerenderer()

    def tick(self) -> bool:
        """Do the work that is due; return True if workers have tasks. Raises DatabaseError and InterfaceError."""
        number = next(self._ticks)
        if number % TICKS_PER_HEARTBEAT == 0:
            self._heartbeat(is_measured=number % TICKS_PER_MEASUREMENT == 0)
        is_work_waiting = hints.recover()
        self._prerenderer.begin_next()
        return is_work_waiting

    def run(self, stop: threading.Event) -> None:
        """Tick until ``stop`` is set, also while the database is away."""
        while True:
            try:
                self.tick()
            except (DatabaseError, InterfaceError) as error:
                logger.warning("the database cannot be used: %s", str(error).strip())
                connection.close()
            if stop.wait(TICK_INTERVAL_SECONDS):
                return

    def shut_down(self) -> None:
        """Requeue the workers' tasks; while the database is away, their leases expire instead."""
        try:
            clusters.deregister(self._name)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("the tasks are requeued when their leases expire: %s", str(error).strip())

    def _heartbeat(self, *, is_measured: bool) -> None:
        memory_bytes = processes.worker_memory_bytes() if is_measured else None
        if clusters.heartbeat(self._name, self._worker_count, memory_bytes):
            periodic.ensure_schedules()
        periodic.enqueue_due()
        scheduled_reports.enqueue_due()
        cycle_task.settle_orphans()
        notification_task.enqueue_due()
        alerts.enqueue_due()
        self._prerenderer.settle()
