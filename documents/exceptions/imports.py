"""Errors of imports."""

from http import HTTPStatus

from documents.exceptions.base import SpmsError


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
