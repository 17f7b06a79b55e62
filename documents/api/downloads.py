"""Send a stored file: conditionally, in ranges, never from memory."""

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
    OpenApiParameter(
        "If-None-Match", str, OpenApiParameter.HEADER, description="The ETag of the file that the client has."
    ),
]


def response_schemas(media_type: str) -> dict[Any, Any]:
    """Return the responses of ``send_file`` for the schema."""
    whole_or_part = {(status, media_type): OpenApiTypes.BINARY for status in (200, 206)}
    return {**whole_or_part, **dict.fromkeys((304, 416), OpenApiResponse())}


def send_file(
    request: HttpRequest, name: str, *, size_bytes: int, digest: str, filename: str, media_type: str = PDF
) -> HttpResponseBase:
    """Return a stored file: 200, 206 for one range, 304 if the client has it, or 416.

    A request for several ranges gets the whole file, as RFC 9110 allows. Raises FileNotFoundError.
    """
    etag = f'"{digest}"'
    if (not_modified := get_conditional_response(request, etag=etag)) is not None:
        return _allow_own_pages(not_modified)
    response = _body(request, name, size_bytes, etag, media_type)
    response.headers["ETag"] = etag
    response.headers["Accept-Ranges"] = "bytes"
    if disposition := content_disposition_header(as_attachment=media_type != PDF, filename=filename):
        response.headers["Content-Disposition"] = disposition
    return _allow_own_pages(response)


def send_result(request: HttpRequest, task: Task, *, filename: str = "") -> HttpResponseBase:
    """Return the file of a task as ``filename``, or under its own name. Raises FileNotFoundError."""
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


def _allow_own_pages(response: HttpResponseBase) -> HttpResponseBase:
    """Allow only the pages of this site to show the file in a frame; a PDF loads nothing.

    A 304 gets the same headers, as they replace those that the browser has stored.
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
    """Return the offsets of the first and last byte of a range such as 0-99, 100- or -100 (the last hundred)."""
    if not first:
        return max(0, size_bytes - int(last)), size_bytes - 1
    return int(first), min(int(last or size_bytes), size_bytes - 1)


def _chunks(stream: IO[bytes], length: int) -> Iterator[bytes]:
    with stream:
        while length > 0 and (chunk := stream.read(min(CHUNK_BYTES, length))):
            length -= len(chunk)
            yield chunk
