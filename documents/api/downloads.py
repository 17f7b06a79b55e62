"""Send a kept file: conditional, in ranges, never from memory."""

import re
from collections.abc import Iterator
from typing import IO, Any

from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from documents.infrastructure import storage
from documents.models import Task
from documents.queue import registry
from documents.queue.registry import StoredFile

CHUNK_BYTES = 65_536
PDF = registry.PDF
SAME_ORIGIN_FRAME = "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'self'"
ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
PARAMETERS = [
    OpenApiParameter("Range", str, OpenApiParameter.HEADER, description="One range, such as bytes=0-99."),
    OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER, description="The ETag of what is there."),
]


def response_schemas(media_type: str) -> dict[Any, Any]:
    """Return what ``send`` answers, as the schema says it."""
    whole_or_part = {(status, media_type): OpenApiTypes.BINARY for status in (200, 206)}
    return {**whole_or_part, **dict.fromkeys((304, 416), OpenApiResponse())}


def send_file(
    request: HttpRequest, name: str, *, size_bytes: int, digest: str, filename: str, media_type: str = PDF
) -> HttpResponseBase:
    """Return the answer for a kept file: 200, 206 for one range, 304 when the client has it, 416.

    Several ranges in one request are answered with the whole file, as RFC 9110 allows.
    """
    etag = f'"{digest}"'
    if (short := get_conditional_response(request, etag=etag)) is not None:
        return _for_own_pages(short)
    response = _body(request, name, size_bytes, etag, media_type)
    response.headers["ETag"] = etag
    response.headers["Accept-Ranges"] = "bytes"
    if disposition := content_disposition_header(as_attachment=media_type != PDF, filename=filename):
        response.headers["Content-Disposition"] = disposition
    return _for_own_pages(response)


def send_result(request: HttpRequest, task: Task, *, filename: str = "") -> HttpResponseBase:
    """Return the answer for the file of a task, under ``filename`` or its own. Raises FileNotFoundError."""
    if (file := StoredFile.of(task)) is None:
        raise FileNotFoundError(f"task {task.pk} has no file")
    return send_file(
        request,
        file.name,
        size_bytes=file.size_bytes,
        digest=file.digest,
        filename=filename or file.filename,
        media_type=file.media_type,
    )


def _for_own_pages(response: HttpResponseBase) -> HttpResponseBase:
    """Let the document's page show it in a frame, and no other site; a PDF needs nothing from anywhere.

    Also with a 304: its headers take the place of those that the browser has kept.
    """
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    response.headers["Content-Security-Policy"] = SAME_ORIGIN_FRAME
    return response


def _body(request: HttpRequest, name: str, size_bytes: int, etag: str, media_type: str) -> HttpResponseBase:
    byte_range = ONE_RANGE.fullmatch(request.headers.get("Range", ""))
    is_same_file = request.headers.get("If-Range", etag) == etag
    if byte_range is None or not any(byte_range.groups()) or not is_same_file:
        return FileResponse(storage.open_file(name), content_type=media_type)
    first, last = _bounds(byte_range[1], byte_range[2], size_bytes)
    if first > last:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size_bytes}"})
    chunks = _chunks(storage.open_file(name, start=first), last - first + 1)
    return StreamingHttpResponse(
        chunks,
        status=206,
        content_type=media_type,
        headers={
            "Content-Range": f"bytes {first}-{last}/{size_bytes}",
            "Content-Length": str(last - first + 1),
        },
    )


def _bounds(first: str, last: str, size_bytes: int) -> tuple[int, int]:
    """Return the first and last byte of a range such as 0-99, 100- or -100 (the last hundred)."""
    if not first:
        return max(0, size_bytes - int(last)), size_bytes - 1
    return int(first), min(int(last or size_bytes), size_bytes - 1)


def _chunks(stream: IO[bytes], length: int) -> Iterator[bytes]:
    with stream:
        while length > 0 and (chunk := stream.read(min(CHUNK_BYTES, length))):
            length -= len(chunk)
            yield chunk
