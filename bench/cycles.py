"""The measurement of a new cycle: the reports and letters of a large agency, and sending them to a local server."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User

from bench.clients import Bench
from bench.report import Row
from documents.models import BusinessArea, Cycle, Membership, Project, Task
from documents.queue import lifecycle
from documents.queue.requests import TaskRequest
from documents.tasks.cycles import letter_template, preparation

PROJECTS, PEOPLE = 2_000, 3_000
MEGABYTE = 1e6
# A server, run as another process, that reads and accepts each letter.
SINK = """
import asyncio, socket, sys
from aiosmtpd.smtp import SMTP
class Sink:
    async def handle_DATA(self, server, session, envelope):
        return "250 OK"
async def serve():
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(Sink(), hostname="sink"), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(serve())
"""


def cycles(bench: Bench) -> Iterator[Row]:
    """Measure opening a cycle, and sending its letters in this process without a limit."""
    projects, people = bench.times(PROJECTS), bench.times(PEOPLE)
    _fill(projects, people)
    cycle = Cycle.objects.create(
        year=2035, due="2035-07-31", subject="Reports for {year}", text=letter_template.TEXT
    )
    started = time.perf_counter()
    preparation.prepare(cycle, lambda *_: None)
    opened_seconds = time.perf_counter() - started
    settings.SPMS_MAILS_PER_MINUTE = 0
    with _sink() as port:
        settings.MAILERS = {"default": {"OPTIONS": {"host": "127.0.0.1", "port": port}}}
        seconds, growth_bytes = _send_all()
    yield Row(
        criterion=f"opening a cycle: {projects:,} reports and {people:,} letters as rows",
        goal="≤ 10 s",
        measured=f"{opened_seconds:.1f} s",
        is_met=opened_seconds <= 10,
    )
    rate = people / seconds
    yield Row(
        criterion=f"sending {people:,} letters, no limit",
        goal="≥ 50 letters/s",
        measured=f"{rate:,.0f} letters/s",
        is_met=rate >= 50,
    )
    yield Row(
        criterion="memory growth of the sender",
        goal="≤ 5 MB",
        measured=f"{growth_bytes / MEGABYTE:+.1f} MB",
        is_met=growth_bytes <= 5 * MEGABYTE,
    )


def _fill(projects: int, people: int) -> None:
    """Store projects and people, each of them in two projects."""
    area = BusinessArea.objects.create(name="The whole agency")
    created = Project.objects.bulk_create(
        Project(
            title=f"Project {number}",
            tag=f"BX-{2000 + number // 1000}-{number % 1000:03d}",
            year=2030,
            status="active",
            business_area=area,
        )
        for number in range(projects)
    )
    persons = User.objects.bulk_create(
        User(username=f"bench{number}", email=f"bench{number}@example.org") for number in range(people)
    )
    Membership.objects.bulk_create(
        Membership(user=person, project=created[(number + place * 7) % projects])
        for number, person in enumerate(persons)
        for place in range(2)
    )


def _send_all() -> tuple[float, int]:
    """Send every letter, turn by turn; return the seconds, and by how many bytes this process grew."""
    request = TaskRequest(kind="cycle", fingerprint="bench", arguments={"year": 2035})
    task, _ = lifecycle.get_or_create(request, user=AnonymousUser())
    process, before, started = psutil.Process(), 0, time.perf_counter()
    while not (stored := Task.objects.get(pk=task.pk)).has_ended:
        lifecycle.run(task.pk, deadline=time.monotonic() + 60)
        before = (
            before or process.memory_info().rss
        )  # memory that the first turn allocates once does not count
    assert stored.status == Task.Status.SUCCEEDED, stored.message
    return time.perf_counter() - started, process.memory_info().rss - before


@contextlib.contextmanager
def _sink() -> Iterator[int]:
    command = [sys.executable, "-c", SINK]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()
