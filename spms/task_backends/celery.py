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
from django.core.checks import CheckMessage, Error
from django.db import connection, transaction
from django.tasks import Task, TaskResult, task_backends
from django.utils.crypto import get_random_string
from django.utils.module_loading import import_string
from kombu.exceptions import KombuError

from spms.task_backends.base import EntryBackend

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spms.settings")

REDIS = ("redis", "rediss")
SCHEMES = (*REDIS, "amqp", "amqps")
RABBITMQ_CONSUMER_TIMEOUT_SECONDS = 30 * 60  # its default; later, it delivers the message again
BROKER_CONFIRM_TIMEOUT_SECONDS = 2.0  # for a broker that accepts connections but does not answer

logger = logging.getLogger(__name__)

app = Celery("spms")
app.config_from_object("django.conf:settings", namespace="CELERY")
_stop = threading.Event()


@app.task(name="spms.execute")
def execute(path: str, args: list[Any], kwargs: dict[str, Any]) -> None:
    """Call a task by its dotted path, in a worker."""
    import_string(path).call(*args, **kwargs)


class CeleryBackend(EntryBackend):
    """Publishes a message when the caller's transaction commits.

    A message that the broker does not take is a warning: the supervisor enqueues it again. ``run_after``
    is refused: Redis would deliver the message again and again while it waits.
    """

    def enqueue[**P, R](
        self, task: Task[P, R], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> TaskResult[P, R]:
        """Publish the message when the transaction that stores its task commits."""
        self.validate_task(task)
        message_id, label = get_random_string(32), _label(task, args)
        transaction.on_commit(lambda: _publish(task, message_id, list(args), dict(kwargs), label))
        return self._enqueued(task, message_id, args, kwargs)

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        """Refuse settings of Celery that lose tasks or run them again and again."""
        conf: Any = settings
        scheme, limit_seconds = _scheme(), conf.CELERY_TASK_TIME_LIMIT or 0
        visible_seconds = conf.CELERY_BROKER_TRANSPORT_OPTIONS.get("visibility_timeout", 3600)
        is_late = conf.CELERY_TASK_ACKS_LATE and conf.CELERY_TASK_REJECT_ON_WORKER_LOST
        rules = (
            (limit_seconds > conf.SPMS_RENDER_TIMEOUT, "E021",
             "CELERY_TASK_TIME_LIMIT must exceed SPMS_RENDER_TIMEOUT"),
            (is_late, "E022",
             "CELERY_TASK_ACKS_LATE and CELERY_TASK_REJECT_ON_WORKER_LOST must be on, or a killed worker's are lost"),
            (conf.CELERY_WORKER_PREFETCH_MULTIPLIER == 1, "E023",
             "CELERY_WORKER_PREFETCH_MULTIPLIER must be 1, or a worker hoards messages"),
            (not getattr(conf, "CELERY_TASK_ALWAYS_EAGER", False), "E024",
             "CELERY_TASK_ALWAYS_EAGER must be off: it runs tasks inside requests"),
            (scheme in SCHEMES, "E025", f"SPMS_CELERY_BROKER must begin with one of {', '.join(SCHEMES)}"),
            (scheme not in REDIS or visible_seconds > limit_seconds, "E026",
             "visibility_timeout must exceed CELERY_TASK_TIME_LIMIT, or long tasks run twice"),
            (scheme in REDIS or limit_seconds < RABBITMQ_CONSUMER_TIMEOUT_SECONDS, "E027",
             "SPMS_RENDER_TIMEOUT must be below 29m: RabbitMQ waits 30 for an acknowledgement"),
        )  # fmt: skip
        return [
            Error(f"{message}.", hint="See docs/engines.md.", id=f"spms.{number}")
            for is_satisfied, number, message in rules
            if not is_satisfied
        ]


def _scheme() -> str:
    scheme: str = settings.CELERY_BROKER_URL.partition(":")[0]
    return scheme


def _label(task: Task[Any, Any], args: Sequence[Any]) -> dict[str, str]:
    """Return the name and the arguments that Flower and Celery's log show: the kind and the id of our task."""
    from documents.queue import hints

    if task.func is not hints.run_task.func:
        return {}
    return {"shadow": hints.kind_of(args[0]), "argsrepr": str(args[0]), "kwargsrepr": ""}


def _publish(
    task: Task[Any, Any], message_id: str, args: list[Any], kwargs: dict[str, Any], label: dict[str, str]
) -> None:
    try:
        execute.apply_async(
            (task.module_path, args, kwargs),
            task_id=message_id,
            priority=_priority(task.priority, is_redis=_scheme() in REDIS),
            retry=False,
            confirm_timeout=BROKER_CONFIRM_TIMEOUT_SECONDS,
            **label,
        )
    except (KombuError, CeleryError, OSError) as error:
        logger.warning("the broker did not take a message; the supervisor sends it again: %s", error)


def _priority(priority: int, *, is_redis: bool) -> int:
    """Return Celery's priority for Django's from -100 to 100: the highest is 9 in RabbitMQ and 0 in Redis."""
    upwards = round((priority + 100) * 9 / 200)
    return 9 - upwards if is_redis else upwards


@signals.setup_logging.connect
def _log_as_everybody(**_: Any) -> None:
    """Keep Django's logging: Celery configures its own unless this signal has a receiver."""


@signals.celeryd_init.connect
def _register_cluster(**_: Any) -> None:
    """Name the cluster before its workers are forked."""
    import django

    django.setup()
    _refuse_wrong_settings()
    from documents.infrastructure import data_dir_lock, processes
    from documents.queue import clusters

    processes.set_parent_death_signal()
    processes.detach_children_from_group()
    data_dir_lock.hold_shared_lock(Path(settings.SPMS_DATA_DIR))
    clusters.register_cluster()


def _refuse_wrong_settings() -> None:
    """Exit with one line, as Celery does not run Django's system checks."""
    for wrong in task_backends["queue"].check():
        raise SystemExit(f"spms: {wrong.msg} ({wrong.id})")


@signals.worker_process_init.connect
def _start_worker(**_: Any) -> None:
    from documents import apps

    apps.start_worker()


@signals.worker_ready.connect
def _supervise(sender: Any, **_: Any) -> None:
    """Supervise the cluster from a thread of the main process."""
    from documents.operations.supervisor import Supervisor
    from documents.queue import clusters

    supervisor = Supervisor(clusters.cluster_name(), sender.controller.concurrency)
    threading.Thread(target=_run_supervisor, args=(supervisor,), daemon=True, name="supervisor").start()


def _run_supervisor(supervisor: Any) -> None:
    connection.close()
    supervisor.run(_stop)


@signals.worker_shutdown.connect
def _shut_down(**_: Any) -> None:
    from documents.operations.supervisor import Supervisor
    from documents.queue import clusters

    _stop.set()
    Supervisor(clusters.cluster_name(), settings.SPMS_QUEUE_WORKERS).shut_down()
