"""A backend of ``django.tasks`` on Celery, and the Celery app: ``celery -A spms.task_backends.celery worker``.

For several hosts with Redis or RabbitMQ. A message carries an id and is only a hint, as with any other engine;
retries, leases and results are those of the task row.
"""

from __future__ import annotations  # read by Celery before the settings let classes take type parameters

import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from celery import Celery, signals
from celery.exceptions import CeleryError
from django.conf import settings
from django.db import connection, transaction
from django.tasks import Task, TaskResult, TaskResultStatus
from django.tasks.backends.base import BaseTaskBackend
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.utils.module_loading import import_string
from kombu.exceptions import KombuError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spms.settings")

logger = logging.getLogger(__name__)

app = Celery("spms")
app.config_from_object("django.conf:settings", namespace="CELERY")
_stop = threading.Event()


@app.task(name="spms.execute", acks_late=True, reject_on_worker_lost=True, ignore_result=True)
def execute(path: str, args: list[Any], kwargs: dict[str, Any]) -> None:
    """Call a task by its dotted path, in a worker."""
    import_string(path).call(*args, **kwargs)


class CeleryBackend(BaseTaskBackend):
    """Publishes a message when the caller's transaction commits.

    A message that the broker does not take is a warning: the recoverer tells the workers again. A time to start
    is refused: with Redis it would be delivered again and again while it waits.
    """

    supports_priority = True

    def enqueue[**P, R](
        self, task: Task[P, R], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> TaskResult[P, R]:
        """Publish the message as soon as what it speaks of is stored."""
        self.validate_task(task)
        message_id = get_random_string(32)
        transaction.on_commit(lambda: _publish(task, message_id, list(args), dict(kwargs)))
        return TaskResult(
            task=task,
            id=message_id,
            status=TaskResultStatus.READY,
            enqueued_at=timezone.now(),
            started_at=None,
            finished_at=None,
            last_attempted_at=None,
            args=list(args),
            kwargs=dict(kwargs),
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )


def _publish(task: Task[Any, Any], message_id: str, args: list[Any], kwargs: dict[str, Any]) -> None:
    try:
        execute.apply_async(
            (task.module_path, args, kwargs),
            task_id=message_id,
            priority=_priority(task.priority),
            retry=False,
        )
    except (KombuError, CeleryError, OSError) as error:
        logger.warning("the broker did not take a message; it is sent again by the recoverer: %s", error)


def _priority(wanted: int) -> int:
    """Return Celery's priority, 0 to 9, for Django's, -100 to 100."""
    return round((wanted + 100) * 9 / 200)


@signals.setup_logging.connect
def _log_as_everybody(**_: Any) -> None:
    """Leave the logs as the settings say: Celery sets up its own unless somebody listens here."""


@signals.celeryd_init.connect
def _name_cluster(**_: Any) -> None:
    """Name the cluster before its workers are forked."""
    import django

    django.setup()
    from documents import processes, workers

    processes.die_with_the_main_process()
    processes.work_on(Path(settings.SPMS_DATA_DIR))
    workers.name_cluster()


@signals.worker_process_init.connect
def _start_worker(**_: Any) -> None:
    from documents import apps

    apps.start_worker()


@signals.worker_ready.connect
def _keep(sender: Any, **_: Any) -> None:
    """Keep the cluster from a thread of the main process."""
    from documents import workers
    from documents.keeper import Keeper

    keeper = Keeper(workers.cluster_name(), sender.controller.concurrency, runs_schedules=True)
    threading.Thread(target=_keep_on, args=(keeper,), daemon=True, name="keeper").start()


def _keep_on(keeper: Any) -> None:
    connection.close()
    keeper.keep_on(_stop)


@signals.worker_shutdown.connect
def _leave(**_: Any) -> None:
    from documents import workers
    from documents.keeper import Keeper

    _stop.set()
    Keeper(workers.cluster_name(), settings.SPMS_QUEUE_WORKERS).leave()
