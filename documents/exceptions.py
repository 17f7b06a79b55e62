"""The exception tree: each error has the title and the HTTP status that clients get."""

from http import HTTPStatus
from typing import ClassVar


class SpmsError(Exception):
    """A fault that no other error describes; the server's log has its traceback.

    It is the base class of the errors of this project.
    ``str(error)`` is the detail for people; ``slug`` names the problem type (RFC 9457) and stays stable;
    ``extra`` are further members of the problem.
    """

    slug: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Something went wrong on the server"
    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    retry_after_seconds: ClassVar[int | None] = None
    # Whether the queue tries again later, as the next attempt may succeed.
    is_transient: ClassVar[bool] = False

    def __init__(self, detail: str = "", **extra: object) -> None:
        super().__init__(detail)
        self.extra = extra

    def to_json(self) -> dict[str, object]:
        """Return the problem details that a task's ``error`` column stores."""
        return {"type": self.slug, "title": self.title, "status": int(self.status), "detail": str(self)}

    @classmethod
    def by_slug(cls, slug: str) -> type["SpmsError"]:
        """Return the error class with this slug, or the base class for an unknown one."""
        if cls.slug == slug:
            return cls
        candidates = (child.by_slug(slug) for child in cls.__subclasses__())
        return next((error for error in candidates if error.slug == slug), SpmsError)


class RenderError(SpmsError):
    """A render that ended without a PDF."""

    slug = "render-failed"
    title = "The PDF could not be made"


class DocumentUnrenderable(RenderError):
    """The document cannot be laid out; only changing it helps."""

    slug = "document-unrenderable"
    title = "This document cannot be laid out"
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class AssemblyUnsupported(RenderError):
    """This version of WeasyPrint cannot bind separately drawn parts; the report is rendered as a whole."""

    slug = "binding-unsupported"
    title = "The report cannot be bound from parts"


class RenderTimeout(RenderError):
    """The render passed its deadline."""

    slug = "render-timeout"
    title = "The task took too long"
    status = HTTPStatus.GATEWAY_TIMEOUT


class RenderCpuLimit(RenderError):
    """The render used up its CPU time."""

    slug = "render-cpu-limit"
    title = "The PDF took too much computing time"
    status = HTTPStatus.GATEWAY_TIMEOUT


class RenderOutOfMemory(RenderError):
    """The render passed its memory limit."""

    slug = "render-out-of-memory"
    title = "The PDF took too much memory"
    status = HTTPStatus.SERVICE_UNAVAILABLE


class RenderKilled(RenderError):
    """The rendering process was killed; the next attempt may succeed."""

    slug = "render-killed"
    title = "The rendering process was ended"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    retry_after_seconds = 5
    is_transient = True


class RenderBusy(RenderError):
    """No rendering process became free in time."""

    slug = "render-busy"
    title = "All rendering processes are busy"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    retry_after_seconds = 10
    is_transient = True


class StorageFull(SpmsError):
    """The disk of the data folder is full."""

    slug = "storage-full"
    title = "The disk is full"
    status = HTTPStatus.INSUFFICIENT_STORAGE


class StorageUnavailable(SpmsError):
    """The data folder, or the bucket of the files, cannot be read or written."""

    slug = "storage-unavailable"
    title = "The stored files cannot be used"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    retry_after_seconds = 30
    is_transient = True


class VersionConflict(SpmsError):
    """A change was made from a version that is not the stored one any more."""

    slug = "version-conflict"
    title = "Someone else has changed this meanwhile"
    status = HTTPStatus.CONFLICT


class PreconditionFailed(SpmsError):
    """A header such as ``If-Match`` names another version than the stored one."""

    slug = "precondition-failed"
    title = "Someone else has changed this meanwhile"
    status = HTTPStatus.PRECONDITION_FAILED


class InvalidPrecondition(SpmsError):
    """A header such as ``If-Match`` is no list of ETags."""

    slug = "precondition-invalid"
    title = "This condition cannot be read"
    status = HTTPStatus.BAD_REQUEST


class DocumentDeleted(SpmsError):
    """The document was deleted while its PDF was being made."""

    slug = "document-gone"
    title = "The document was deleted"
    status = HTTPStatus.NOT_FOUND


class PdfMissing(SpmsError):
    """The document's current version has no PDF."""

    slug = "pdf-missing"
    title = "The current version of this document has no PDF"
    status = HTTPStatus.NOT_FOUND


class InvalidImage(SpmsError):
    """The upload is not an image, is damaged, or exceeds the limits."""

    slug = "image-unusable"
    title = "This image cannot be used"
    status = HTTPStatus.BAD_REQUEST


class ImageNotReady(SpmsError):
    """The image is still being prepared."""

    slug = "image-not-ready"
    title = "The image is not ready yet"
    status = HTTPStatus.CONFLICT
    retry_after_seconds = 2


class ImagesBusy(SpmsError):
    """No image process became free, or answered, in time."""

    slug = "images-busy"
    title = "Images cannot be prepared at this moment"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    retry_after_seconds = 10
    is_transient = True


class UnknownEdition(SpmsError):
    """A client named an unknown edition."""

    slug = "edition-unknown"
    title = "There is no such edition"
    status = HTTPStatus.BAD_REQUEST


class InvalidExport(SpmsError):
    """A client named an unknown resource, format or filter."""

    slug = "export-unknown"
    title = "There is no such export"
    status = HTTPStatus.BAD_REQUEST


class ExportTooLarge(SpmsError):
    """An export has more rows than its format holds, or takes longer than a task may."""

    slug = "export-too-large"
    title = "The export is too large"
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class FileMissing(SpmsError):
    """The task has no file: it did not succeed, its kind makes none, or the file was removed."""

    slug = "file-missing"
    title = "There is no file"
    status = HTTPStatus.NOT_FOUND


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


class ImportUnreadable(SpmsError):
    """The uploaded file cannot be read as a table."""

    slug = "import-unreadable"
    title = "The file cannot be read"
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class ImportRefused(SpmsError):
    """Rows of the uploaded file have errors, so none was written."""

    slug = "import-refused"
    title = "The file has errors, and nothing was written"
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class ImportConflict(SpmsError):
    """A row was changed after the import had validated it, so nothing was written."""

    slug = "import-conflict"
    title = "The data changed during the import, and nothing was written"
    status = HTTPStatus.CONFLICT


class ImportTooSlow(SpmsError):
    """The import exceeded the time limit of a task."""

    slug = "import-too-slow"
    title = "The import took too long, and nothing was written"
    status = HTTPStatus.GATEWAY_TIMEOUT


class InvalidCronExpression(SpmsError):
    """The cron expression is malformed, never matches, or matches too often."""

    slug = "cron-refused"
    title = "This time cannot be used"
    status = HTTPStatus.BAD_REQUEST


class ReportRefused(SpmsError):
    """A scheduled report cannot be begun."""

    slug = "report-refused"
    title = "The report cannot be made"
    status = HTTPStatus.CONFLICT


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


class NotificationError(SpmsError):
    """A notification did not reach its receiver."""

    slug = "notice-error"
    title = "The notice was not sent"


class NotificationRefused(NotificationError):
    """The receiver or our own rules refuse the notification permanently."""

    slug = "notice-refused"
    title = "The notice was refused"


class NotificationFailed(NotificationError):
    """The receiver could not be reached, or answered with an error."""

    slug = "notice-failed"
    title = "The notice did not arrive"
    status = HTTPStatus.BAD_GATEWAY
    is_transient = True


class MailServerUnavailable(SpmsError):
    """The mail server cannot be reached, or refuses mail temporarily."""

    slug = "mail-server-away"
    title = "The mail server takes no mail"
    status = HTTPStatus.BAD_GATEWAY
    is_transient = True


class CycleExists(SpmsError):
    """A cycle for this year exists already."""

    slug = "cycle-exists"
    title = "This cycle was opened before"
    status = HTTPStatus.CONFLICT


class CycleStateConflict(SpmsError):
    """The action is not possible in the current state of the cycle or the letter."""

    slug = "cycle-state"
    title = "The cycle or its letter is in another state"
    status = HTTPStatus.CONFLICT
