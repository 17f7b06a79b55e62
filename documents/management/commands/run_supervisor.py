"""``manage.py run_supervisor``: supervise workers of a queue backend without a supervisor."""

import signal
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from documents.infrastructure import data_dir_lock
from documents.operations.supervisor import Supervisor
from documents.queue import clusters


class Command(BaseCommand):
    """Sends heartbeats, recovers tasks and starts scheduled work; start and stop it together with the workers."""

    help = "Supervise the workers of another django.tasks backend. qcluster and Celery supervise theirs themselves."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the number of workers."""
        parser.epilog = "Example: manage.py run_supervisor --workers 4"
        parser.add_argument("--workers", type=int, default=settings.SPMS_QUEUE_WORKERS, metavar="N")

    def handle(self, *args: Any, **options: Any) -> None:
        """Supervise until SIGTERM."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        data_dir_lock.hold_shared_lock(Path(settings.SPMS_DATA_DIR))
        supervisor = Supervisor(clusters.register_cluster(), options["workers"])
        supervisor.run(stop)
        supervisor.shut_down()
