"""Middleware for every request."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_only_middleware

from spms import problems

type GetResponse = Callable[[HttpRequest], HttpResponse]


@sync_only_middleware
class BodyLimit:
    """Refuse a body that is larger than anything we take, before a byte of it is read."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer 413 or pass the request on."""
        is_upload = (request.content_type or "").startswith("multipart/")
        limit = settings.SPMS_MAX_UPLOAD_BYTES if is_upload else settings.SPMS_MAX_BODY_BYTES
        sent = request.META.get("CONTENT_LENGTH") or "0"
        if sent.isdecimal() and int(sent) > limit:
            return problems.response(
                413,
                slug="body-too-large",
                title="The request is too large",
                detail=f"The body has {int(sent):,} bytes; at most {limit:,} are allowed here.",
            )
        return self.get_response(request)
