"""Times each request by its route, at a cost of a few microseconds; errors here fail no request."""

import functools
import re
import time
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_only_middleware

from metrics import instruments
from metrics.collection import activity

type GetResponse = Callable[[HttpRequest], HttpResponseBase]

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Anybody can send every method to every route and be refused: their methods would make thousands of time series.
REFUSALS = frozenset({302, 401, 403, 404, 405})
GATEWAY_TIMEOUT, UNAVAILABLE, SERVER_ERROR = 504, 503, 500
SLOW_SECONDS = 1.0
MAX_QUEUE_SECONDS = 600.0


@sync_only_middleware
class MetricsMiddleware:
    """Counts and times requests; the first middleware, so that it measures all others."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response
        instruments.recover_lost_requests()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass the request on and measure its time."""
        is_api = request.path_info.startswith("/api/v1/")
        if is_api:
            try:
                instruments.STARTED.inc()
                if (sent := request.META.get("HTTP_X_REQUEST_START")) is not None:
                    _observe_queue(sent)
            except instruments.METRIC_ERRORS as error:
                instruments.log_metric_error(error)
        started = time.perf_counter()
        response = self._get_response(request)
        try:
            _observe(request, response.status_code, time.perf_counter() - started, is_api=is_api)
        except instruments.METRIC_ERRORS as error:
            instruments.log_metric_error(error)
        if is_api:
            activity.record_activity(request)
        return response


def _observe(request: HttpRequest, status: int, seconds: float, *, is_api: bool) -> None:
    seconds = max(0.0, seconds - getattr(request, "spms_asked_seconds", 0.0))
    match = request.resolver_match
    route = template(match.route) if match else "(none)"
    method = request.method if request.method in METHODS and status not in REFUSALS else "(other)"
    _timer(method, route, status // 100).observe(seconds)
    if not is_api:
        return
    instruments.FINISHED.inc()
    if status == GATEWAY_TIMEOUT:
        instruments.TIMED_OUT.labels(instruments.DEADLINE).inc()
    elif status >= SERVER_ERROR and status != UNAVAILABLE:
        instruments.FAILED.inc()
    elif seconds > SLOW_SECONDS and instruments.has_client_left(request):
        instruments.TIMED_OUT.labels(instruments.CLIENT).inc()


def _observe_queue(sent: str) -> None:
    """Measure the time since the proxy received the request: ``X-Request-Start: t=1700000000.123`` (or ms, or us)."""
    digits = sent.removeprefix("t=")
    if re.fullmatch(r"\d{10,16}(\.\d{1,6})?", digits):
        at = float(digits)
        while at > 1e11:
            at /= 1000
        waited = time.time() - at
        if -1 < waited < MAX_QUEUE_SECONDS:
            instruments.QUEUE_SECONDS.observe(max(0.0, waited))


@functools.lru_cache(maxsize=1000)
def template(route: str) -> str:
    """Return a readable route: without anchors, and with parameters as ``{name}``."""
    route = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)|<(?:\w+:)?(\w+)>", r"{\1\2}", route)
    return re.sub(r"[\^$]|\\Z", "", route)


@functools.lru_cache(maxsize=5000)
def _timer(method: str, route: str, status: int) -> Any:
    return instruments.REQUEST_SECONDS.labels(method, route, f"{status}xx")
