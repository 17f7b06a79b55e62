"""``manage.py qcluster``: Django-Q2's cluster, supervised by its main process."""

import logging
import signal
import sys
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django_q.cluster import Cluster
from django_q.management.commands import qcluster

from documents.infrastructure import data_dir_lock, processes
from documents.operations.supervisor import TICK_INTERVAL_SECONDS, Supervisor
from documents.queue import clusters

logger = logging.getLogger("spms.qcluster")


class Command(qcluster.Command):
    """Starts the workers, recovers lost tasks, and exits with 1 when the cluster is stalled or dead.

    The process manager then starts it again. On SIGTERM the running tasks get ``SPMS_SHUTDOWN_GRACE`` to finish;
    tasks that are still running are requeued.
    """

    help = "Run the workers of the queue until SIGTERM; exits with 1 when they are stalled or dead."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options of Django-Q2, and an example."""
        super().add_arguments(parser)
        parser.epilog = "Example: SPMS_QUEUE_WORKERS=4 manage.py qcluster"

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the cluster until SIGTERM, or until it is stalled or dead."""
        stop = threading.Event()
        processes.set_parent_death_signal()
        processes.detach_children_from_group()
        data_dir_lock.hold_shared_lock(Path(settings.SPMS_DATA_DIR))
        name = clusters.register_cluster()
        cluster, supervisor = Cluster(), Supervisor(name, settings.SPMS_QUEUE_WORKERS)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        connection.close()
        processes.freeze_gc_before_fork()
        cluster.start()
        try:
            is_healthy = options.get("run_once") or watch(cluster, supervisor, clusters.Watchdog(name), stop)
        except Exception:  # of any kind: this process must not end before its children
            logger.exception("the cluster cannot be supervised; exiting, so that it is started again")
            is_healthy = False
        # In a thread: it would wait for ever until a sentinel wakes up that was killed in its sleep.
        threading.Thread(target=cluster.stop_event.set, daemon=True).start()
        cluster.sentinel.join(timeout=settings.SPMS_SHUTDOWN_GRACE if is_healthy else 0)
        processes.kill_children()
        supervisor.shut_down()
        sys.exit(0 if is_healthy else 1)


def watch(cluster: Any, supervisor: Supervisor, watchdog: clusters.Watchdog, stop: threading.Event) -> bool:
    """Supervise the cluster until ``stop`` is set; return True if it stayed healthy."""
    while not stop.is_set():
        if not cluster.sentinel.is_alive():
            logger.error("the cluster has died; exiting, so that it is started again")
            return stop.is_set()
        if look(supervisor, watchdog):
            logger.error("tasks are waiting and no worker takes them; exiting, so that it is started again")
            return False
        stop.wait(TICK_INTERVAL_SECONDS)
    return True


def look(supervisor: Supervisor, watchdog: clusters.Watchdog) -> bool:
    """Tick, and return True if the cluster is stalled; restart that measurement while no work is due."""
    try:
        if supervisor.tick():
            return watchdog.is_stalled()
    except (DatabaseError, InterfaceError) as error:
        logger.warning("the database cannot be used: %s", str(error).strip())
        connection.close()
    watchdog.reset()
    return False
