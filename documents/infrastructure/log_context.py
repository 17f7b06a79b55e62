"""The ids of request and task for log records, through web, queue and worker."""

import contextlib
import logging
from collections.abc import Iterator
from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
task_id: ContextVar[str] = ContextVar("task_id", default="")


class CorrelationIdFilter(logging.Filter):
    """Adds both ids to every record, empty without a request or task."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the ids; return True, as no record is dropped."""
        record.request_id, record.task_id = request_id.get(), task_id.get()
        return True


@contextlib.contextmanager
def request_scope(ident: str) -> Iterator[None]:
    """Log under a request's id until the end of the block."""
    before = request_id.set(ident)
    try:
        yield
    finally:
        request_id.reset(before)


@contextlib.contextmanager
def task_scope(ident: object, *, begun_by: str) -> Iterator[None]:
    """Log under a task's id and the id of the request that created it, until the end of the block."""
    before = task_id.set(str(ident))
    try:
        with request_scope(begun_by):
            yield
    finally:
        task_id.reset(before)
