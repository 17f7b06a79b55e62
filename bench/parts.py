"""Where the time of a forced POST goes: the same request in this process, with a clock around each part."""

import contextlib
import functools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any
from unittest import mock

from django.db import connection
from django.test import Client
from rest_framework.authentication import TokenAuthentication

from bench.clients import Bench
from bench.report import Row
from documents.content import blocks
from documents.infrastructure import storage
from documents.queue import leases, lifecycle, progress
from documents.rendering import pool
from documents.tasks.pdf import task as pdf_task

PARTS: tuple[tuple[Any, str, str], ...] = (
    (TokenAuthentication, "authenticate", "sign-in"),
    (pdf_task, "fingerprint", "fingerprint"),
    (lifecycle, "get_or_create", "task row"),
    (leases, "claim", "task row"),
    (progress, "_write_progress", "task row"),
    (lifecycle, "_finish", "task row"),
    (blocks, "get_document", "reading the document"),
    (pdf_task, "write_html", "HTML"),
    (pool.Pool, "render", "rendering process"),
    (storage, "save", "storing the file"),
)


class Clock:
    """Adds up the time of each part, without that of the parts inside it."""

    def __init__(self) -> None:
        self.taken: defaultdict[str, float] = defaultdict(float)
        self.queries = 0
        self._inner = [0.0]

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what happens inside as this part."""
        started = time.perf_counter()
        self._inner.append(0.0)
        try:
            yield
        finally:
            whole = time.perf_counter() - started
            self.taken[name] += whole - self._inner.pop()
            self._inner[-1] += whole

    def around(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        """Return ``call`` with a clock around it."""

        @functools.wraps(call)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return call(*args, **kwargs)

        return timed

    def query(self, execute: Callable[..., Any], *args: Any) -> Any:
        """Time one query (an ``execute_wrapper`` of Django)."""
        self.queries += 1
        with self.part("queries"):
            return execute(*args)


def parts(bench: Bench) -> Iterator[Row]:
    """Measure the parts of a forced POST of the short plan."""
    client = Client(headers={"Authorization": f"Token {bench.documents.token}", "Host": "127.0.0.1"})
    address = f"/api/v1/documents/{bench.documents.short}/pdf/?force=true"
    with _own_pool():
        _timed(client, address)
        clocks = [_timed(client, address) for _ in range(bench.times(30))]
    figures = {name: median(clock.taken[name] * 1000 for clock in clocks) for name in clocks[0].taken}
    whole = sum(figures.values())
    figures["queries"], queries = figures.pop("queries"), clocks[-1].queries
    text = ", ".join(f"{name} {figure:.1f}" for name, figure in sorted(figures.items(), key=_largest_first))
    yield Row(
        criterion="parts of a forced `POST` of the short plan, in ms, inside the web process",
        measured=f"{text.replace('queries', f'{queries} queries')}; together {whole:.0f}",
    )


def _largest_first(part: tuple[str, float]) -> float:
    return -part[1]


def _timed(client: Client, address: str) -> Clock:
    clock = Clock()
    with contextlib.ExitStack() as stack:
        for owner, attribute, name in PARTS:
            timed = clock.around(getattr(owner, attribute), name)
            stack.enter_context(mock.patch.object(owner, attribute, timed))
        stack.enter_context(connection.execute_wrapper(clock.query))
        with clock.part("the rest of Django"):
            answer = client.post(address, content_type="application/json")
    assert answer.status_code == 201, answer.content
    return clock


@contextlib.contextmanager
def _own_pool() -> Iterator[None]:
    pool.get_pool().warm()
    try:
        yield
    finally:
        pool.close_pool()
