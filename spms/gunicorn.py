"""Gunicorn's settings: ``gunicorn -c python:spms.gunicorn spms.wsgi``."""

import os
import sys

from gunicorn.workers.base import Worker

from documents.infrastructure import processes
from spms import settings

# A worker that outlives a killed master would keep the port for the whole graceful_timeout.
processes.set_parent_death_signal()
processes.limit_malloc_arenas()

bind = f"127.0.0.1:{os.environ.get('PORT', '8000')}"
# One process is enough for most: its threads wait while the rendering processes work.
workers = settings.SPMS_WEB_PROCESSES
worker_class = "gthread"
threads = processes.part_of_each(settings.SPMS_WEB_THREADS, workers)
# It ends a stuck process and does not limit requests in threads; renders have their own deadlines.
timeout = 60
graceful_timeout = int(settings.SPMS_INLINE_DEADLINE) + 5
# Longer than clients rest between two questions about a task: one that asks again just when its connection is closed
# gets an error.
keepalive = 75
control_socket_disable = True
logconfig_dict = settings.LOGGING
# A thread that reads gets the interpreter from those that write HTML after a fifth of the usual time.
SWITCH_INTERVAL_SECONDS = 0.001


def post_worker_init(worker: Worker) -> None:
    """Start the rendering processes, so that the first PDF does not wait for them, and report this process."""
    from documents.rendering import pool  # Django is set up now
    from metrics.collection import web_processes

    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    pool.get_pool().warm(processes.part_of_each(settings.SPMS_RENDER_SLOTS, workers))
    web_processes.start_heartbeat(threads=threads, render_slots=settings.SPMS_RENDER_SLOTS)


def worker_exit(server: object, worker: Worker) -> None:
    """Withdraw the report of this process, and end the rendering processes."""
    from documents.rendering import pool  # Django is set up now
    from metrics.collection import web_processes

    web_processes.stop_heartbeat()
    pool.close_pool()
