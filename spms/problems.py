"""Errors over HTTP: RFC 9457 problem details with a stable type for every error."""

import contextlib
import json
import logging
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError as DjangoValidationError
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import defaults
from django.views.csrf import csrf_failure as django_csrf_failure
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from documents.exceptions import SpmsError
from documents.infrastructure import log_context, storage
from documents.models.mistakes import MAX_LISTED, count_others, shortened

CONTENT_TYPE = "application/problem+json"
DATABASE_RETRY_SECONDS = 5
# Of what a problem quotes from its request.
MAX_DETAIL_CHARACTERS = 1_000
MAX_POINTER_CHARACTERS = 200

logger = logging.getLogger(__name__)


def type_of(slug: str) -> str:
    """Return the URI that names a type of problem."""
    return f"urn:spms:problem:{slug}"


def body(status: int, *, slug: str, title: str, detail: str, **extra: object) -> dict[str, object]:
    """Return the members of a problem."""
    return {"type": type_of(slug), "title": title, "status": status, "detail": detail, **extra}


def response(status: int, *, slug: str, title: str, detail: str, **extra: object) -> HttpResponse:
    """Return a problem as a response, for use outside of DRF."""
    members = body(status, slug=slug, title=title, detail=detail, **extra)
    return HttpResponse(json.dumps(members), status=status, content_type=CONTENT_TYPE)


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Turn an error in an API view into a problem; DRF's hook. Unknown errors are left to Django."""
    set_rollback()
    if isinstance(error, DjangoValidationError):
        error = exceptions.ValidationError(_messages(error))
    elif isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    elif isinstance(error, OSError) and storage.is_storage_error(error):
        _drop_uploads(context["request"])
        error = storage.storage_error(error)
    if isinstance(error, SpmsError):
        return _from_spms(error)
    if isinstance(error, exceptions.APIException):
        return _from_api(error)
    if isinstance(error, DatabaseError):
        return _from_database(error)
    return None


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Respond to a request that Django refused before any view (handler400)."""
    return response(400, slug="bad-request", title="Bad request", detail=str(exception)[:200])


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Respond to an unknown address (handler404): a page for people, a problem for programs."""
    if _wants_page(request):
        return defaults.page_not_found(request, exception)
    return response(
        404,
        slug="not-found",
        title="Not found",
        detail=f"There is nothing at {shortened(request.path, MAX_POINTER_CHARACTERS)}.",
    )


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Respond to a refused request (handler403)."""
    if _wants_page(request):
        return defaults.permission_denied(request, exception)
    return response(403, slug="permission-denied", title="Forbidden", detail="You may not do this.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Respond after an unhandled error (handler500)."""
    if _wants_page(request):
        return defaults.server_error(request)
    kind = SpmsError
    detail = f"It was logged under {log_context.request_id.get()}. Try again later."
    return response(500, slug=kind.slug, title=kind.title, detail=detail)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Respond to a form without its token (CSRF_FAILURE_VIEW)."""
    if _wants_page(request):
        return django_csrf_failure(request, reason)
    return response(403, slug="csrf-failed", title="Forbidden", detail=reason)


def locked_out(request: HttpRequest, *_: object) -> HttpResponse:
    """Respond to a user whose sign-in failed too often (AXES_LOCKOUT_CALLABLE)."""
    wait_seconds = int(settings.AXES_COOLOFF_TIME.total_seconds())
    is_account = request.path_info.startswith("/account/")
    subject = "This was tried" if is_account else "The sign-in failed"
    detail = f"{subject} too often. Try again in {wait_seconds // 60} minutes."
    if _wants_page(request):
        template = "account/locked.html" if is_account else "site/login.html"
        answer = render(request, template, {"locked_out": detail}, status=429)
    else:
        answer = response(429, slug="locked-out", title="Too many failed sign-ins", detail=detail)
    answer["Retry-After"] = str(wait_seconds)
    return answer


def _wants_page(request: HttpRequest) -> bool:
    return not request.path.startswith("/api/") and "text/html" in request.headers.get("Accept", "")


def _problem(status: int, members: dict[str, object], headers: Mapping[str, str] | None = None) -> Response:
    return Response(members, status=status, headers=headers, content_type=CONTENT_TYPE)


def _from_spms(error: SpmsError) -> Response:
    kind = type(error)
    wait = kind.retry_after_seconds
    detail = shortened(str(error), MAX_DETAIL_CHARACTERS)
    members = body(int(kind.status), slug=kind.slug, title=kind.title, detail=detail, **error.extra)
    return _problem(int(kind.status), members, {"Retry-After": str(wait)} if wait else None)


def _from_api(error: exceptions.APIException) -> Response:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(int(wait) + 1)
    code = error.get_codes() if isinstance(error.detail, str) else error.default_code
    title = HTTPStatus(error.status_code).phrase
    if isinstance(error, exceptions.ValidationError):
        members = _invalid(error)
    else:
        slug = str(code).replace("_", "-")
        detail = shortened(str(error.detail), MAX_DETAIL_CHARACTERS)
        members = body(error.status_code, slug=slug, title=title, detail=detail)
    return _problem(error.status_code, members, headers)


def _invalid(error: exceptions.ValidationError) -> dict[str, object]:
    """Return a problem that names the first invalid members by their JSON pointers, and counts the others."""
    found = list(_flatten(error.detail))
    others = count_others(found)
    listed = found[:MAX_LISTED] if others else found
    errors = [
        {
            "pointer": shortened(pointer, MAX_POINTER_CHARACTERS),
            "detail": shortened(detail, MAX_DETAIL_CHARACTERS),
        }
        for pointer, detail in listed
    ]
    first = errors[0] if errors else {"pointer": "", "detail": "The request is not valid."}
    if others:
        errors.append({"pointer": "", "detail": f"{others}."})
    where = f"{first['pointer'].removeprefix('#/')}: " if first["pointer"] else ""
    more = f" (and {len(found) - 1:,} more)" if len(found) > 1 else ""
    detail = f"{where}{first['detail']}{more}"
    return body(400, slug="validation-error", title="The request is not valid", detail=detail, errors=errors)


def _flatten(detail: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(detail, dict):
        for key, value in detail.items():
            yield from _flatten(value, pointer if key == "non_field_errors" else f"{pointer or '#'}/{key}")
    elif isinstance(detail, list):
        for value in detail:
            yield from _flatten(value, pointer)
    else:
        yield pointer, str(detail)


def _messages(error: DjangoValidationError) -> Any:
    if hasattr(error, "error_dict"):
        return {
            ("non_field_errors" if key == "__all__" else key): value
            for key, value in error.message_dict.items()
        }
    return error.messages


def _drop_uploads(request: HttpRequest) -> None:
    """Close the file that was being received: Django closes only those received in full."""
    for handler in request.upload_handlers:
        with contextlib.suppress(OSError):  # what it still holds in memory does not fit either
            handler.upload_interrupted()


def _from_database(error: DatabaseError) -> Response:
    logger.error("the database failed: %s", error)
    if "disk is full" in str(error):
        members = body(
            507,
            slug="storage-full",
            title="The disk is full",
            detail="The disk under the database is full. Free some space, then try again.",
        )
        return _problem(507, members)
    members = body(
        503,
        slug="database-unavailable",
        title="The database cannot be used at the moment",
        detail="Nothing was changed. Try again in a few seconds.",
    )
    return _problem(503, members, {"Retry-After": str(DATABASE_RETRY_SECONDS)})
