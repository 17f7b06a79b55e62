"""Errors of renders."""

from http import HTTPStatus

from documents.exceptions.base import SpmsError


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
