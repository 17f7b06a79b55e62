"""Which request and which task a line of the log speaks of, through web, queue and worker."""

import contextlib
import logging
from collections.abc import Iterator
from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
task_id: ContextVar[str] = ContextVar("task_id", default="")


class CorrelationIdFilter(logging.Filter):
    """Puts both ids on every record, empty where there is none."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through."""
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
    """Log under a task's id, and under that of the request that began it, until the end of the block."""
    before = task_id.set(str(ident))
    try:
        with request_scope(begun_by):
            yield
    finally:
        task_id.reset(before)
