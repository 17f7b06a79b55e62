"""Middleware for every request."""

import ipaddress
import logging
import re
import time
import uuid
from collections.abc import Callable

from django.conf import settings
from django.contrib.admin.views.main import ERROR_FLAG
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import BadRequest, ImproperlyConfigured, PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.decorators import sync_only_middleware
from django.utils.functional import SimpleLazyObject

from documents.infrastructure import log_context
from documents.queue.admission import Gate
from spms import problems

type GetResponse = Callable[[HttpRequest], HttpResponse]

UNKNOWN_ADDRESS = str(ipaddress.IPv4Address(0))
SIGN_IN_PATHS = frozenset({"/login/", "/admin/login/", "/api/v1/auth/token/"})
ACCOUNT_PATH = "/account/"
# Below it, a path is the secret of who was sent it.
RESET_PATH = f"{ACCOUNT_PATH}reset/"
MAX_LOGGED_PATH_CHARACTERS = 200
# Python refuses to read a number of more than 4,300 digits.
MAX_LENGTH_DIGITS = 18
# What many ask for at once and again: to begin a PDF, and how a task stands.
GATES = (
    ("POST", re.compile(r"/api/v1/documents/\d+/pdf/"), Gate()),
    ("GET", re.compile(r"/api/v1/tasks/[^/]+/"), Gate()),
)
requests_log = logging.getLogger("spms.requests")


@sync_only_middleware
class AdmissionMiddleware:
    """Has requests that come in crowds take turns, each kind by itself; everybody else is served beside them."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on when it is its turn."""
        if (gate := _gate_of(request)) is None:
            return self.get_response(request)
        with gate.admitted():
            return self.get_response(request)


def _gate_of(request: HttpRequest) -> Gate | None:
    gates = (
        gate for method, path, gate in GATES if request.method == method and path.fullmatch(request.path_info)
    )
    return next(gates, None)


@sync_only_middleware
class RequestIdMiddleware:
    """Gives each request an id: the ``X-Request-ID`` of a proxy, or a new one; the response carries it as well.

    The id is in every log line of the request, and of the worker that runs its task.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on with its id, and log it."""
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
    is_secret = request.path_info.startswith(RESET_PATH)
    path = RESET_PATH if is_secret else request.path[:MAX_LOGGED_PATH_CHARACTERS]
    requests_log.info(
        "%s %s %d",
        request.method,
        path,
        status,
        extra={
            "method": request.method,
            "path": path,
            "status": status,
            "milliseconds": round(seconds * 1000, 1),
            "user_id": _user_id(request),
        },
    )


def _user_id(request: HttpRequest) -> object:
    """Return the user's id if the user is loaded already: a log must not query the database."""
    user = vars(request).get("user")
    if isinstance(user, SimpleLazyObject):
        user = vars(request).get("_cached_user")
    return user.pk if user else None


def client_address(request: HttpRequest) -> str:
    """Return the client's address, as seen by the outermost of our own proxies.

    It is always an address, as PostgreSQL stores nothing else: a header may hold anything, and a Unix socket has none.
    """
    sent = request.headers.get("X-Forwarded-For", "").rsplit(",", settings.SPMS_TRUSTED_PROXIES)
    forwarded = [part.strip() for part in sent]
    addresses = [request.META.get("REMOTE_ADDR", ""), *reversed(forwarded)]
    client = addresses[min(settings.SPMS_TRUSTED_PROXIES, len(addresses) - 1)]
    return next(filter(_is_address, (client, addresses[0])), UNKNOWN_ADDRESS)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text  # PostgreSQL takes no link-local address with its interface


@sync_only_middleware
class BodySizeLimitMiddleware:
    """Refuses a body that is too large, or of unknown length, before a byte of it is read."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return 411 or 413, or pass the request on."""
        if "Transfer-Encoding" in request.headers:  # Django would treat the body as empty
            return problems.response(
                411,
                slug="length-required",
                title="The length of the request is missing",
                detail="Send the body with Content-Length, not in chunks.",
            )
        limit = _max_body_bytes(request)
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdecimal() and (len(length) > MAX_LENGTH_DIGITS or int(length) > limit):
            return problems.response(
                413,
                slug="body-too-large",
                title="The request is too large",
                detail=f"The body is too large; at most {limit:,} bytes are allowed here.",
            )
        return self.get_response(request)


def _max_body_bytes(request: HttpRequest) -> int:
    if request.path_info in SIGN_IN_PATHS or request.path_info.startswith(ACCOUNT_PATH):
        return settings.SPMS_MAX_SIGN_IN_BYTES
    if not request.path_info.startswith(("/api/", "/admin/")):
        return settings.SPMS_MAX_FORM_BYTES
    is_upload = (request.content_type or "").startswith("multipart/")
    return settings.SPMS_MAX_UPLOAD_BYTES if is_upload else settings.SPMS_MAX_BODY_BYTES


@sync_only_middleware
class NoStoreMiddleware:
    """Forbids browsers and proxies to store responses, which are mostly private, unless a view sets its own policy."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "no-store")
        return response


@sync_only_middleware
class StaffOnlyMiddleware:
    """Restricts all pages under ``dashboard/``, present and future, to staff.

    Other users get 404; anonymous users are asked to sign in.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: object) -> HttpResponse | None:
        """Refuse users who are not staff before the view is called. Raises Http404."""
        match = request.resolver_match
        if match is None or not match.route.startswith("dashboard/") or request.user.is_staff:
            return None
        if request.user.is_authenticated:
            raise Http404
        if "HX-Request" in request.headers:  # a partial of a page whose session has ended: reload the page
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        return redirect_to_login(request.get_full_path())


@sync_only_middleware
class AdminLookupMiddleware:
    """Answers a query of the admin's lists that cannot be computed as Django answers other wrong ones: ``?e=1``.

    Django tests a query when it builds it, by catching every error but two, and some values fail only when it runs:
    the year 99999, a pattern that is none. A fault that has nothing to do with the query happens again at that address,
    and is reported.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Redirect to the list without the query; leave all other errors to Django."""
        match = request.resolver_match
        is_list = match is not None and (match.url_name or "").endswith("_changelist")
        if not is_list or request.method == "POST" or not request.GET or ERROR_FLAG in request.GET:
            return None
        if isinstance(exception, (SuspiciousOperation, ImproperlyConfigured, PermissionDenied, Http404)):
            return None
        requests_log.warning("a query of %s cannot be computed: %.200s", request.path, exception)
        return HttpResponseRedirect(f"{request.path}?{ERROR_FLAG}=1")


@sync_only_middleware
class NullCharacterMiddleware:
    """Refuses NUL characters in the forms of pages and in the queries of the admin: PostgreSQL takes none.

    The API and the queries of other pages are validated by their own forms.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: object) -> None:
        """Refuse before the view is called. Raises BadRequest."""
        if request.path_info.startswith("/api/"):
            return
        is_admin = request.path_info.startswith("/admin/")
        forms = (request.POST, request.GET) if is_admin else (request.POST,)
        values = (value for form in forms for _, texts in form.lists() for value in texts)
        if any("\0" in value for value in values):
            raise BadRequest("Remove the NUL characters from the form or the address.")
