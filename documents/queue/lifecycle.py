"""The life of a task: begin or join, claim, run, reschedule, finish, retry, fail or cancel.

Independent of the kinds of task: see ``registry``. Every change of state is one compare-and-set UPDATE, so a
worker that has lost its claim can neither publish a result nor undo the work of another.
"""

import functools
import logging
import os
import random
import time
import traceback
import uuid
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.dispatch import Signal
from django.utils import timezone

from documents import exceptions
from documents.infrastructure import log_context, storage
from documents.models import Task, Viewer
from documents.models.tasks import PRERENDER
from documents.queue import adoption, end_watcher, leases, progress, registry
from documents.queue.registry import LeaseLost, Reschedule, TaskOutput
from documents.queue.requests import TaskRequest
from metrics import instruments
from metrics.durations import Monotonic

POLL_INTERVAL_SECONDS = 0.1
MAX_CREATE_ATTEMPTS = 5
MAX_WRITE_RETRY_SECONDS = 20.0

# Sends ``task_id`` in the transaction in which an ended task is made to run again.
task_retried = Signal()

logger = logging.getLogger(__name__)


def latest_result(kind: str, fingerprint: str) -> Task | None:
    """Return the newest succeeded task with this input if its file still exists."""
    done = Task.objects.filter(kind=kind, fingerprint=fingerprint, status=Task.Status.SUCCEEDED)
    newest = done.order_by("-finished_at").first()
    return newest if newest and storage.exists(newest.file) else None


def get_or_create(
    request: TaskRequest, *, user: Viewer, mode: str = Task.Mode.INLINE, rule: str = ""
) -> tuple[Task, bool]:
    """Return the task in flight for this request, or a new one, and whether it is new.

    A unique constraint ensures that two tasks with the same input are never in flight at once. A new task of
    the queue counts as hinted: enqueue it in the same transaction. A pre-render that is adopted counts as new.
    Does not call ``request.on_begin``.
    Raises SpmsError when five attempts have failed.
    """
    for _ in range(MAX_CREATE_ATTEMPTS):
        hinted_at = timezone.now() if mode == Task.Mode.QUEUE else None
        try:
            with transaction.atomic():
                task = Task.objects.create(
                    kind=request.kind,
                    fingerprint=request.fingerprint,
                    document=request.document,
                    requested_by_id=user.pk,
                    mode=mode,
                    routed_by=rule,
                    hinted_at=hinted_at,
                    request_id=log_context.request_id.get(),
                    arguments=request.arguments,
                    source=request.source,
                )
        except IntegrityError:
            same_input = Task.objects.filter(kind=request.kind, fingerprint=request.fingerprint)
            joined = same_input.in_flight().first()
            if joined is None:
                continue
            if joined.routed_by != PRERENDER or rule == PRERENDER:
                return joined, False
            if adopted := adoption.adopt(joined, user=user, mode=mode, rule=rule):
                return adopted, True
        else:
            return task, True
    raise exceptions.SpmsError("The task could not be begun. Try again.")


def run(task_id: uuid.UUID, *, deadline: Monotonic, worker: str = "") -> bool:
    """Claim a task and run it to its end; return False if it cannot be claimed.

    ``worker`` is the name of this worker. Errors are written to the row, not raised, except OperationalError and
    InterfaceError when the database stays away for MAX_WRITE_RETRY_SECONDS: then the lease expires.
    """
    if (task := leases.claim(task_id, worker)) is None:
        return False
    if leases.is_first_attempt(task) and task.routed_by != PRERENDER:
        instruments.observe_task_wait(task.kind, (timezone.now() - task.created_at).total_seconds())
    with log_context.task_scope(task.pk, begun_by=task.request_id):
        began = time.monotonic()
        _run(task, deadline)
        took_seconds = time.monotonic() - began
        logger.info("task %s (%s) ran, attempt %d, %.1f s", task.pk, task.kind, task.attempts, took_seconds)
    return True


def _run(task: Task, deadline: Monotonic) -> None:
    try:
        output = registry.get_task_type(task.kind).run(progress.context_for(task, deadline))
    except LeaseLost:
        logger.info("task %s was taken away while it ran", task.pk)
    except Reschedule as reschedule:
        _reschedule(task, reschedule.again_in_seconds)
    except exceptions.SpmsError as error:
        _retry_or_fail(task, error)
    except (OperationalError, InterfaceError) as error:
        logger.warning("task %s could not use the database: %s", task.pk, error)
        _retry_or_fail(task, exceptions.DatabaseUnavailable("The database was busy or away. Try again."))
    except Exception:
        logger.exception("task %s failed", task.pk)
        _fail(task, exceptions.SpmsError("Unexpected error; see the log entry for this task id."))
    else:
        _finish(task, output)


def start(task_id: uuid.UUID, *, deadline: Monotonic) -> Future[None]:
    """Run a task in a thread of this process, where it continues after its requester stops waiting."""
    return _threads().submit(_run_in_thread, task_id, deadline)


def publish(task: Task, output: TaskOutput) -> None:
    """Publish the output from inside a task function, in the transaction in which that writes its data.

    Raises LeaseLost when the task was cancelled or taken away; let it roll the transaction back.
    """
    if not _publish(task, output):
        raise LeaseLost


def run_or_wait(task_id: uuid.UUID, *, deadline: Monotonic) -> Task:
    """Run a task, or wait while another process runs it, until it has ended or ``deadline`` has passed.

    A task that still runs at the deadline continues. A claim whose process died is taken over as soon as its lease
    has expired.
    """
    while True:
        if leases.claimable().filter(pk=task_id).exists():
            run_deadline = time.monotonic() + settings.SPMS_RENDER_TIMEOUT
            running = start(task_id, deadline=run_deadline)
            futures.wait([running], timeout=deadline - time.monotonic())
        task = Task.objects.get(pk=task_id)
        if task.has_ended or time.monotonic() > deadline:
            return task
        time.sleep(POLL_INTERVAL_SECONDS)


def wait(task_id: uuid.UUID, *, deadline: Monotonic) -> Task:
    """Return the task when it has ended, or as it is when ``deadline`` has passed."""
    end_watcher.watcher().wait(task_id, deadline=deadline)
    return Task.objects.get(pk=task_id)


def cancel(task_id: uuid.UUID, *, by: str) -> None:
    """Cancel a task that has not ended; its worker stops within two seconds. Raises TaskStateConflict."""
    cancelled = leases.terminal_fields(Task.Status.CANCELLED) | {"message": f"Cancelled by {by}."}
    if not Task.objects.in_flight().filter(pk=task_id).update(**cancelled):
        raise exceptions.TaskStateConflict("It has ended already, so there is nothing to cancel.")


def retry(task_id: uuid.UUID, *, mode: str) -> None:
    """Let a failed or cancelled task run again, with all its attempts. Raises TaskStateConflict."""
    retryable = Task.objects.filter(pk=task_id, status__in=(Task.Status.FAILED, Task.Status.CANCELLED))
    try:
        with transaction.atomic():
            changed = retryable.update(
                status=Task.Status.QUEUED,
                mode=mode,
                attempts=0,
                error=None,
                message="",
                claimable_at=timezone.now(),
                hinted_at=None,
                started_at=None,
                finished_at=None,
            )
            if changed:
                task_retried.send(Task, task_id=task_id)
    except IntegrityError as error:
        raise exceptions.TaskStateConflict(
            "Another task with the same input is in flight; wait for that one."
        ) from error
    if not changed:
        raise exceptions.TaskStateConflict("Only a failed or a cancelled task can be tried again.")


def move_to_queue(task_id: uuid.UUID) -> None:
    """Make an inline task one of the queue, as its requester no longer waits; a running one continues."""
    Task.objects.in_flight().filter(pk=task_id).update(mode=Task.Mode.QUEUE)


def fail_timed_out(task_id: uuid.UUID) -> None:
    """Fail an inline task whose requester has waited for the longest time allowed; its thread stops."""
    error = exceptions.RenderTimeout("It was not finished in the time that a request may wait for it.")
    late = Task.objects.in_flight().filter(pk=task_id, mode=Task.Mode.INLINE)
    late.update(error=error.to_json(), message=str(error), **leases.terminal_fields(Task.Status.FAILED))


def exception_from(task: Task) -> exceptions.SpmsError:
    """Return the error that ended a failed task."""
    error = task.error or {}
    return exceptions.SpmsError.by_slug(error.get("type", ""))(error.get("detail", ""), task_id=str(task.pk))


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(settings.SPMS_WEB_THREADS, thread_name_prefix="inline-task")


def _run_in_thread(task_id: uuid.UUID, deadline: Monotonic) -> None:
    try:
        run(task_id, deadline=deadline, worker=f"{storage.host()}:web/{os.getpid()}")
    finally:
        connection.close()


def _publish(task: Task, output: TaskOutput) -> bool:
    return _end(
        task,
        Task.Status.SUCCEEDED,
        fingerprint=output.fingerprint,
        message=output.message,
        error=None,
        **output.as_columns(),
    )


def _finish(task: Task, output: TaskOutput) -> None:
    if _publish(task, output) or output.file is None:
        return
    # The task function may have published it, or the first write succeeded although the database went away:
    # then the file belongs to the task.
    if not Task.objects.filter(pk=task.pk, file=output.file.name).exists():
        storage.delete(output.file.name)


def _retry_or_fail(task: Task, error: exceptions.SpmsError) -> None:
    """Retry a transient error later if the task is queued; otherwise fail the task at once."""
    if error.is_transient and task.attempts < leases.max_attempts() and _retry_later(task, error):
        _record_failure(task, error)
    else:
        _fail(task, error)


def _reschedule(task: Task, seconds: float) -> None:
    """Requeue a task that raised Reschedule; the run does not count as an attempt."""
    _retry_write(
        lambda: leases.held_by(task).update(
            status=Task.Status.QUEUED,
            attempts=0,
            claimable_at=timezone.now() + timedelta(seconds=seconds),
            hinted_at=None,
            token=None,
            lease_until=None,
        )
    )


def _retry_later(task: Task, error: exceptions.SpmsError) -> bool:
    backoff_seconds = settings.SPMS_RETRY_BACKOFF * 2 ** (task.attempts - 1) * random.uniform(0.8, 1.2)  # noqa: S311  # nosec B311
    queued = leases.held_by(task).filter(mode=Task.Mode.QUEUE)
    return _retry_write(
        lambda: queued.update(
            status=Task.Status.RETRYING,
            claimable_at=timezone.now() + timedelta(seconds=backoff_seconds),
            hinted_at=None,
            token=None,
            lease_until=None,
            phase="",
            error=error.to_json(),
            message=str(error)[:500],
        )
    )


def _fail(task: Task, error: exceptions.SpmsError) -> None:
    instruments.count_render_failure(task.kind, task.mode, error.slug)
    if _end(task, Task.Status.FAILED, error=error.to_json(), message=str(error)[:500]):
        _record_failure(task, error)


def _record_failure(task: Task, error: exceptions.SpmsError) -> None:
    """Record the failed attempt with the current traceback; a failure to record it does not change the task."""
    try:
        with transaction.atomic():
            leases.record_failure(task, error, traceback.format_exc())
    except (DatabaseError, InterfaceError) as fault:
        logger.warning("attempt %d of task %s could not be recorded: %s", task.attempts, task.pk, fault)


def _end(task: Task, status: Task.Status, **values: object) -> bool:
    return _retry_write(lambda: leases.held_by(task).update(**leases.terminal_fields(status), **values))


def _retry_write(write: Callable[[], int]) -> bool:
    """Retry a write while the database is away, for up to MAX_WRITE_RETRY_SECONDS, so that no work is lost."""
    give_up_at = time.monotonic() + MAX_WRITE_RETRY_SECONDS
    while True:
        try:
            return bool(write())
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block or time.monotonic() > give_up_at:
                raise
            connection.close()
            time.sleep(1)
