"""Repeats the status of a task to a client that had it a moment ago, without asking the database who the client is.

Clients poll, some without a pause. While a task has not changed, a client gets the answer again that the same
credentials were given at most MAX_AGE_SECONDS ago, or a 304 if it has that answer, up to MAX_UNCHANGED_SECONDS. Either
tells nothing new, even to a client whose right has just ended in another process; in this one, such an end forgets all
answers. All news pass authentication and permissions.
"""

import hashlib
import itertools
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cachetools
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.db.models.signals import post_delete, post_save
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch
from django.utils.cache import get_conditional_response
from django.utils.decorators import sync_only_middleware
from rest_framework.authtoken.models import Token

from documents.models import Membership
from documents.queue import states, thread_shares
from metrics.durations import Monotonic
from spms import problems

type GetResponse = Callable[[HttpRequest], HttpResponse]

STATUS_PATH = re.compile(r"/api/v1/tasks/([0-9a-f-]{36})/")
MAX_AGE_SECONDS = 5.0
MAX_UNCHANGED_SECONDS = 15.0
MAX_ANSWERS = 2_000
MAX_ANSWER_BYTES = 16_384
# Several scripts of one person may each ask for the same task ten times a second.
MAX_CALLS_PER_SECOND = 40
MAX_COUNTED = 10_000


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The status of an unfinished task as some credentials were given it."""

    task_id: uuid.UUID
    state: states.State
    body: bytes
    headers: dict[str, str]
    route: ResolverMatch | None
    given_at: Monotonic

    def is_current(self, *, max_age_seconds: float) -> bool:
        """Return True if it is recent, and the task is as it was; False while the database cannot say."""
        try:
            is_recent = time.monotonic() - self.given_at < max_age_seconds
            return is_recent and states.reader().current(self.task_id) == self.state
        except DatabaseError:  # the view knows how to report it
            return False


@sync_only_middleware
class RepeatedStatusMiddleware:
    """Answers status calls: 304 for a state that the client has, 429 for a client that asks without a pause."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response
        self._lock = threading.Lock()
        self._answers: cachetools.TTLCache[bytes, Answer] = cachetools.TTLCache(
            MAX_ANSWERS, MAX_UNCHANGED_SECONDS
        )
        self._calls: cachetools.TTLCache[bytes, Iterator[int]] = cachetools.TTLCache(MAX_COUNTED, 1.0)
        for rights in (get_user_model(), Session, Token, Membership):
            for signal in (post_save, post_delete):
                signal.connect(self._forget, sender=rights)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Repeat an answer, or pass the request on and remember what was answered."""
        path = STATUS_PATH.fullmatch(request.path_info) if request.method == "GET" else None
        if path is None:
            return self._get_response(request)
        if (caller := _caller(request)) is None:
            return _if_changed(request, self._get_response(request))
        if self._count(caller) > MAX_CALLS_PER_SECOND:
            return _too_fast()
        answer = self._recall(caller)
        if answer is None or _may_wait(request) or not _may_repeat(request, answer):
            response = self._get_response(request)
            self._remember(caller, path[1], request, response)
        else:
            request.resolver_match = answer.route  # the metrics name the route
            response = HttpResponse(answer.body, headers=answer.headers)
        return _if_changed(request, response)

    def _count(self, caller: bytes) -> int:
        """Return the number of this call among the caller's of this second."""
        with self._lock:
            return next(self._calls.setdefault(caller, itertools.count(1)))

    def _forget(self, **_: object) -> None:
        """Forget all answers: the rights of somebody may have changed."""
        with self._lock:
            self._answers.clear()

    def _recall(self, caller: bytes) -> Answer | None:
        with self._lock:
            return self._answers.get(caller)

    def _remember(self, caller: bytes, task_id: str, request: HttpRequest, response: HttpResponse) -> None:
        state = getattr(request, "spms_task_state", None)
        if state is None or response.status_code != 200 or len(response.content) > MAX_ANSWER_BYTES:
            return
        answer = Answer(
            task_id=uuid.UUID(task_id),
            state=state,
            body=response.content,
            headers=dict(response.headers),
            route=request.resolver_match,
            given_at=time.monotonic(),
        )
        with self._lock:
            self._answers[caller] = answer


def _caller(request: HttpRequest) -> bytes | None:
    """Return a digest of a task's address, the credentials and what shapes the answer; None without credentials."""
    token = request.META.get("HTTP_AUTHORIZATION", "")
    session = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    if not token and not session:
        return None
    shape = (request.META.get(name, "") for name in ("HTTP_HOST", "HTTP_ACCEPT"))
    parts = (request.path_info, token, session, *shape)
    return hashlib.sha256("\0".join(parts).encode()).digest()


def _may_wait(request: HttpRequest) -> bool:
    """Return True if the request asks for more than the state at once, and can have it."""
    if not request.META.get("QUERY_STRING"):
        return False
    if re.fullmatch(r"wait=\d{1,2}", request.META["QUERY_STRING"]) is None:
        return True
    share = thread_shares.waiting_share()
    return share.held < share.size


def _may_repeat(request: HttpRequest, answer: Answer) -> bool:
    has_answer = request.headers.get("If-None-Match") == answer.headers["ETag"]
    return answer.is_current(max_age_seconds=MAX_UNCHANGED_SECONDS if has_answer else MAX_AGE_SECONDS)


def _if_changed(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Return the response, or 304 with its headers if the client has the state already."""
    if response.status_code != 200 or "ETag" not in response.headers:
        return response
    answer = get_conditional_response(request, etag=response.headers["ETag"], response=response) or response
    if "Retry-After" in response.headers:
        answer.headers["Retry-After"] = response.headers["Retry-After"]
    return answer


def _too_fast() -> HttpResponse:
    response = problems.response(
        429,
        slug="throttled",
        title="Too Many Requests",
        detail="Ask for a task again after the seconds that Retry-After says, or with ?wait=20.",
    )
    response.headers["Retry-After"] = "1"
    response._has_been_logged = True  # type: ignore[attr-defined]  # hundreds of log lines a second help nobody
    return response
