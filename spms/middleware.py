"""Middleware for every request."""

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
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


@sync_only_middleware
class StaffPages:
    """Show everything under ``dashboard/`` to staff only: a page that is added there cannot forget it.

    For other people these pages do not exist; who is not signed in is asked to.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: object) -> HttpResponse | None:
        """Refuse who is not staff before the view is called. Raises Http404."""
        match = request.resolver_match
        if match is None or not match.route.startswith("dashboard/") or request.user.is_staff:
            return None
        if request.user.is_authenticated:
            raise Http404
        if "HX-Request" in request.headers:  # a part of a page whose session has ended: load the whole page
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        return redirect_to_login(request.get_full_path())
