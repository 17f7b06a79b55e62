"""Middleware for every request."""

import ipaddress
import logging
import re
import time
import uuid
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.decorators import sync_only_middleware
from django.utils.functional import SimpleLazyObject

from documents.infrastructure import log_context
from spms import problems

type GetResponse = Callable[[HttpRequest], HttpResponse]

UNKNOWN_ADDRESS = str(ipaddress.IPv4Address(0))
requests_log = logging.getLogger("spms.requests")


@sync_only_middleware
class RequestIdMiddleware:
    """Names each request: by the ``X-Request-ID`` that a proxy gave it, or by a new one, which goes back with it.

    The id stands in every line of the log that the request causes, also in those of the worker that runs its task.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on under its name, and log it."""
        given = request.headers.get("X-Request-ID", "")
        ident = given if re.fullmatch(r"[A-Za-z0-9._-]{8,64}", given) else uuid.uuid4().hex
        with log_context.request_scope(ident):
            started = time.perf_counter()
            response = self.get_response(request)
            response["X-Request-ID"] = ident
            if requests_log.isEnabledFor(logging.INFO):
                _log(request, response.status_code, time.perf_counter() - started)
        return response


def _log(request: HttpRequest, status: int, seconds: float) -> None:
    requests_log.info(
        "%s %s %d",
        request.method,
        request.path,
        status,
        extra={
            "method": request.method,
            "path": request.path,
            "status": status,
            "milliseconds": round(seconds * 1000, 1),
            "user_id": _user_id(request),
        },
    )


def _user_id(request: HttpRequest) -> object:
    """Return who asked, if that is known already: a log must not ask the database."""
    user = vars(request).get("user")
    if isinstance(user, SimpleLazyObject):
        user = vars(request).get("_cached_user")
    return user.pk if user else None


def client_address(request: HttpRequest) -> str:
    """Return who asks: the address that the outermost of our own proxies saw.

    Always an address, since PostgreSQL stores nothing else: a header may hold anything, and a Unix socket has none.
    """
    seen = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
    known = [request.META.get("REMOTE_ADDR", ""), *reversed(seen)]
    asked = known[min(settings.SPMS_TRUSTED_PROXIES, len(known) - 1)]
    return next(filter(_is_address, (asked, known[0])), UNKNOWN_ADDRESS)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text  # a link-local address with its interface is none to PostgreSQL


@sync_only_middleware
class BodySizeLimitMiddleware:
    """Refuse a body that is larger than anything we take, or of unknown length, before a byte of it is read."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer 411 or 413, or pass the request on."""
        if "Transfer-Encoding" in request.headers:  # Django would take the body for an empty one
            return problems.response(
                411,
                slug="length-required",
                title="The length of the request is missing",
                detail="Send the body with Content-Length, not in chunks.",
            )
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
class NoStoreMiddleware:
    """Lets no browser and no proxy keep an answer, unless its view says how: most speak of a person's work."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "no-store")
        return response


@sync_only_middleware
class StaffOnlyMiddleware:
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
