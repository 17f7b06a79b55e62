"""Limits the number of requests of each user."""

import time
from typing import TYPE_CHECKING

from django.core.cache import cache
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import UserRateThrottle

if TYPE_CHECKING:  # views import their throttles
    from rest_framework.views import APIView


class UserWindowThrottle(UserRateThrottle):
    """Counts each user's requests in fixed windows, in each web process (SPMS_API_THROTTLE_RATE).

    DRF's own throttle stores the time of every request and copies them all on each request, which is slow at rates
    like ours.
    """

    scope = "person"
    _left_seconds = 0.0

    def allow_request(self, request: Request, view: "APIView") -> bool:
        """Count the request and return True if it may pass; permissions refuse anonymous users."""
        limit, window_seconds = self.parse_rate(self.rate)
        if limit is None or window_seconds is None or not request.user.is_authenticated:
            return True
        window, past_seconds = divmod(time.time(), window_seconds)
        self._left_seconds = window_seconds - past_seconds
        key = f"{self.scope}:{request.user.pk}:{int(window)}"
        cache.add(key, 0, window_seconds)
        return int(cache.incr(key)) <= limit

    def wait(self) -> float:
        """Return the seconds until the next window."""
        return self._left_seconds


class ExpensiveThrottle(UserWindowThrottle):
    """Counts the expensive requests of each user: renders, uploads, exports and imports.

    (SPMS_EXPENSIVE_THROTTLE_RATE.) A view names its own in ``expensive_actions``: actions of a view set, or methods.
    """

    scope = "expensive"

    def allow_request(self, request: Request, view: "APIView") -> bool:
        """Count the request if it is expensive, and return True if it may pass. Raises Throttled."""
        action = getattr(view, "action", None) or str(request.method).lower()
        is_expensive = action in getattr(view, "expensive_actions", ())
        if is_expensive and not super().allow_request(request, view):
            raise Throttled(
                wait=self.wait(), detail=f"You may render, upload, export and import {self.rate}."
            )
        return True
