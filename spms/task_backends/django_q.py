"""A backend of ``django.tasks`` that enqueues into Django-Q2, in the caller's database transaction."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.tasks import Task, TaskResult
from django.utils.module_loading import import_string
from django_q.tasks import async_task

from spms.task_backends.base import EntryBackend
from spms.task_backends.broker import LOW_PRIORITY

ENTRY = f"{__name__}.execute"


def execute(path: str, args: list[Any], kwargs: dict[str, Any]) -> None:
    """Call a task by its dotted path, in a worker; an unknown one fails its own message only."""
    import_string(path).call(*args, **kwargs)


class DjangoQBackend(EntryBackend):
    """Enqueues at once, in order.

    There are two priorities: a task below zero is taken when no other waits. Django-Q2 has no ``run_after``, and
    results live in our own rows; Django's base class refuses both with InvalidTask.
    """

    def enqueue[**P, R](
        self, task: Task[P, R], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> TaskResult[P, R]:
        """Write the entry in the caller's transaction."""
        self.validate_task(task)
        name = str(settings.Q_CLUSTER["name"])
        options = {"task_name": task.name, "cluster": f"{name}{LOW_PRIORITY}" if task.priority < 0 else name}
        entry_id = async_task(ENTRY, task.module_path, list(args), dict(kwargs), q_options=options)
        return self._enqueued(task, entry_id, args, kwargs)

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        """Refuse settings of Django-Q2 that lose tasks or run them again and again."""
        conf: dict[str, Any] = settings.Q_CLUSTER
        timeout, retry = conf.get("timeout") or 0, conf.get("retry", 60)
        rules = (
            (timeout > 0, "E001", "timeout must be above zero, or a hanging task holds its worker for ever"),
            (retry > timeout, "E002", "retry must be longer than timeout, or every long task runs twice"),
            (conf.get("max_attempts", 0) > 0, "E003", "max_attempts 0 delivers a broken message for ever"),
            (conf.get("ack_failures"), "E004", "ack_failures must be True: the task row counts the attempts"),
            (conf.get("workers", 0) > 0, "E005", "workers must be above zero"),
            (conf.get("orm") in settings.DATABASES, "E006", "orm must name a database of DATABASES"),
            (conf.get("queue_limit") == 1, "E007", "queue_limit must be 1, or a cluster hoards entries"),
            (conf.get("bulk", 1) == 1, "E009", "bulk must be 1, or a worker hoards entries"),
            (conf.get("save_limit") == -1, "E008", "save_limit must be -1: results live in the task rows"),
        )  # fmt: skip
        return [
            Error(f"Q_CLUSTER: {message}.", hint="See docs/operations.md.", id=f"spms.{number}")
            for is_satisfied, number, message in rules
            if not is_satisfied
        ]
