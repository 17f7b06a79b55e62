"""Errors of stored files, images and exports."""

from http import HTTPStatus

from documents.exceptions.base import SpmsError


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


class FileMissing(SpmsError):
    """The task has no file: it did not succeed, its kind makes none, or the file was removed."""

    slug = "file-missing"
    title = "There is no file"
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
