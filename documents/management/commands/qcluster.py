"""``manage.py qcluster``: Django-Q2's cluster, watched over by its main process."""

import itertools
import logging
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django_q.cluster import Cluster
from django_q.management.commands import qcluster

from documents import alerts, notices, processes, queue, schedules, workers

ROUND_SECONDS = 1.0
ROUNDS_PER_BEAT = 3
ROUNDS_PER_MEASURE = 15

logger = logging.getLogger("spms.qcluster")


class Command(qcluster.Command):
    """Starts the workers; recovers lost tasks; exits with 1 when the cluster is stalled or dead.

    The process manager then starts it again. On SIGTERM the running tasks get ``SPMS_STOP_GRACE`` to finish;
    what still runs goes back to the queue.
    """

    help = "Run the workers of the queue until SIGTERM; exits with 1 when they are stalled or dead."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the cluster to its end."""
        stop = threading.Event()
        processes.die_with_the_main_process()
        processes.work_on(Path(settings.SPMS_DATA_DIR))
        name = workers.name_cluster()
        cluster = Cluster()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        connection.close()
        cluster.start()
        is_well = options.get("run_once") or self._watch(cluster, name, stop)
        self._end(cluster, name, grace_seconds=settings.SPMS_STOP_GRACE if is_well else 0)
        sys.exit(0 if is_well else 1)

    def _watch(self, cluster: Any, name: str, stop: threading.Event) -> bool:
        """Beat, recover and watch until told to stop; return whether the cluster was well to the end."""
        watchdog = workers.Watchdog(name)
        rounds = itertools.count()
        while not stop.wait(ROUND_SECONDS if (number := next(rounds)) else 0):
            if not cluster.sentinel.is_alive():
                logger.error("the cluster has died; ending, so that it is started again")
                return stop.is_set()
            try:
                if number % ROUNDS_PER_BEAT == 0:
                    self._beat(name, is_measured=number % ROUNDS_PER_MEASURE == 0)
                is_stalled = self._is_stalled(watchdog)
            except (DatabaseError, InterfaceError) as error:
                logger.warning("the database cannot be used: %s", str(error).strip())
                connection.close()
                watchdog.reset()
                continue
            if is_stalled:
                logger.error("tasks wait and no worker takes them; ending, so that it is started again")
                return False
        return True

    def _is_stalled(self, watchdog: workers.Watchdog) -> bool:
        if queue.recover():
            return watchdog.is_stalled()
        watchdog.reset()  # idle or paused: the clock begins with the next work
        return False

    def _beat(self, name: str, *, is_measured: bool) -> None:
        memory_bytes = processes.worker_memory_bytes() if is_measured else None
        if workers.beat(name, settings.SPMS_QUEUE_WORKERS, memory_bytes):
            schedules.ensure()
        notices.send_due()
        alerts.send_due()

    def _end(self, cluster: Any, name: str, *, grace_seconds: float) -> None:
        cluster.stop_event.set()
        cluster.sentinel.join(timeout=grace_seconds)
        processes.end_children()
        try:
            workers.leave(name)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("its tasks go back when their leases lapse: %s", str(error).strip())
