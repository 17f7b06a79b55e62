"""Errors of tasks, of the queue that holds them, and of the streams that report them."""

from http import HTTPStatus

from documents.exceptions.base import SpmsError


class DatabaseUnavailable(SpmsError):
    """The database was locked or away while a task ran."""

    slug = "database-unavailable"
    title = "The database could not be used"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    retry_after_seconds = 5
    is_transient = True


class WorkerLost(SpmsError):
    """The worker of a task died in every attempt."""

    slug = "worker-lost"
    title = "The worker ended before the task did"
    status = HTTPStatus.SERVICE_UNAVAILABLE


class TaskCancelled(SpmsError):
    """The task was cancelled while a request waited for it."""

    slug = "task-cancelled"
    title = "The task was cancelled"
    status = HTTPStatus.CONFLICT


class TaskStateConflict(SpmsError):
    """The action is not possible in the task's current state."""

    slug = "task-state"
    title = "The task is in another state"
    status = HTTPStatus.CONFLICT


class QueueFull(SpmsError):
    """The limit of waiting tasks is reached."""

    slug = "queue-full"
    title = "The queue is full"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    retry_after_seconds = 60


class ServerBusy(SpmsError):
    """All threads that may run a task inline do so, and no queue can take it."""

    slug = "server-busy"
    title = "The server is busy"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    retry_after_seconds = 5


class TooManyTasks(SpmsError):
    """The limit of one person's waiting tasks is reached."""

    slug = "too-many-tasks"
    title = "Too many of your tasks are waiting"
    status = HTTPStatus.TOO_MANY_REQUESTS
    retry_after_seconds = 30


class EventsUnavailable(SpmsError):
    """This server cannot keep streams open."""

    slug = "events-unavailable"
    title = "Event streams are not available here"
    status = HTTPStatus.NOT_IMPLEMENTED


class EventsBusy(SpmsError):
    """The limit of open event streams is reached."""

    slug = "events-busy"
    title = "Too many streams are open"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    retry_after_seconds = 10
