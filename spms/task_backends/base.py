"""What the backends of ``django.tasks`` here have in common."""

from collections.abc import Sequence
from typing import Any

from django.tasks import Task, TaskResult, TaskResultStatus
from django.tasks.backends.base import BaseTaskBackend
from django.utils import timezone


class EntryBackend(BaseTaskBackend):
    """A backend whose entries are hints: results live in our own rows."""

    supports_priority = True

    # In quotes: Celery imports this before the settings, which make Django's classes take type parameters.
    def _enqueued[**P, R](
        self, task: "Task[P, R]", entry_id: str, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> "TaskResult[P, R]":
        """Return the result of a task that was enqueued as the entry ``entry_id``."""
        return TaskResult(
            task=task,
            id=entry_id,
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
