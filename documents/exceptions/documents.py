"""Errors of documents, their versions and their PDFs."""

from http import HTTPStatus

from documents.exceptions.base import SpmsError


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


class UnknownEdition(SpmsError):
    """A client named an unknown edition."""

    slug = "edition-unknown"
    title = "There is no such edition"
    status = HTTPStatus.BAD_REQUEST
