"""No request makes the server fail, compute for long, say much, or keep memory, whatever it holds and whoever sends it.

Each operation of the schema and each page is called with one hostile value in each of its places. ``make fuzz`` goes on
for ten minutes; a failure prints the seed, which repeats the calls: ``--fuzz-seed N``.
"""

import json
import random
import time

import psutil
import pytest
import yaml

from tests.acceptance.fuzz_calls import Answer, Call, Fuzzer, Person, operations_of, send
from tests.acceptance.fuzz_fields import PAGES
from tests.acceptance.servers import computed_seconds
from tests.acceptance.system import System
from tests.integration.test_every_endpoint import RULES
from tests.waiting import wait_for

MAX_ANSWER_BYTES = 1_000_000
MAX_SECONDS = 5.0  # of computing, so that a busy machine takes no longer
MAX_GROWTH_BYTES = 100 * 1024**2
WARM_UP_CALLS = 100  # after which the server has loaded what every server keeps
MIN_LONG_BYTES = 64_000
BUSY = (b"server-busy", b"images-busy", b"queue-full", b"render-busy")
# One row of everything that a path names, and four people: signed in with a token or, on pages, with a session.
PREPARE = """
import json, uuid
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token
from documents.models import ScheduledReport, Subscription, Task
from documents.operations import periodic
from metrics.models import ModeChange
from tests import factories
member, stranger, staff = factories.user("fuzz-member"), factories.user("fuzz-stranger"), factories.staff("fuzz-staff")
plan = factories.document(member, sections={"background": "<p>Text.</p>"})
error = {"type": "render-failed", "title": "Broken", "detail": "broken", "status": 500}
task = Task.objects.create(kind="pdf", document=plan, requested_by=member, fingerprint="f" * 64, status="failed",
                           error=error, finished_at=timezone.now())
notice = Subscription.objects.create(task=task, channel="mail", target=member.email, requested_by=member)
change = ModeChange.objects.create(before="inline", after="queue", setting="auto", actor="evaluator", reason="load")
report = ScheduledReport.objects.create(name="Plans", owner=staff, kind="pdf", document=plan,
                                        receivers=["a@example.org"], cron="0 7 * * 1")
periodic.ensure_schedules()
cycle = factories.cycle(year=2029)
letter = factories.letter(cycle, member)
people = {}
for person in (member, stranger, staff):
    client = Client()
    client.force_login(person)
    people[person.username] = [Token.objects.create(user=person).key, client.cookies["sessionid"].value]
ids = {"project": plan.project_id, "area": plan.project.business_area_id, "document": plan.pk, "task": task.pk,
       "import": task.pk, "notice": notice.pk, "change": change.pk, "report": report.pk, "cycle": cycle.pk,
       "letter": letter.pk, "image": factories.image(plan, (40, 30)).pk, "key": "0123456789abcdef", "name": "cleanup",
       "section": "background", "uidb64": "MQ", "token": "x-y"}
print(json.dumps([people, {word: str(value) for word, value in ids.items()}]))
"""
CSRF = "c" * 32

pytestmark = pytest.mark.xdist_group("fuzz")


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    settings = {
        "SPMS_API_THROTTLE_RATE": "off",
        "SPMS_LOGIN_FAILURES": "1000000",
        "ALLOWED_HOSTS": "127.0.0.1",
        "EMAIL_URL": "dummymail://",
    }
    with System(tmp_path_factory.mktemp("fuzz"), SPMS_MODE="inline", **settings).serving() as running:
        yield running


@pytest.fixture(scope="module")
def prepared(system):
    """Return the people who call, and the ids of what they call for."""
    signed_in, ids = json.loads(system.manage("shell", "--no-imports", "-c", PREPARE).stdout)
    people = [Person("anonymous")]
    for name, (token, session) in signed_in.items():
        cookies = {"Cookie": f"sessionid={session}; csrftoken={CSRF}", "X-CSRFToken": CSRF}
        people.append(Person(name, {"Authorization": f"Token {token}"}, cookies))
    people += people[-1:] * 2  # staff get farthest
    return people, ids


@pytest.fixture(scope="module")
def web(system):
    """Return the process that answers."""
    [main] = [process for process in system.descendants() if process.pid == system.processes[0].pid]
    return max(main.children(), key=lambda process: process.memory_info().rss)


def test_every_page_is_among_those_that_are_called():
    pages = {
        f"{method.upper()} /{route}".replace("<", "{").replace(">", "}")
        for route, methods in RULES.items()
        for method in methods
        if not route.startswith("api/v1/") and method != "put"
    }
    assert pages <= set(PAGES)


def test_no_hostile_request_makes_the_server_fail(system, prepared, web, pytestconfig):
    seed = pytestconfig.getoption("--fuzz-seed")
    seed = random.randrange(1_000_000) if seed is None else seed
    schema = yaml.safe_load(system.session.get(f"{system.address}/api/schema/", timeout=120).text)
    people, ids = prepared
    fuzzer = Fuzzer(operations_of(schema), people, ids, seed)
    ends_at = time.monotonic() + pytestconfig.getoption("--fuzz-seconds")
    memory_bytes = 0
    for number, call in enumerate(fuzzer.calls(), 1):
        assert_harmless(system, web, call, f"--fuzz-seed {seed}, call {number}, {call}")
        if number == WARM_UP_CALLS:
            memory_bytes = web.memory_info().rss
        if number >= fuzzer.place_count and time.monotonic() > ends_at:
            break
    wait_for(lambda: web.memory_info().rss < memory_bytes + MAX_GROWTH_BYTES)


def assert_harmless(system: System, web: psutil.Process, call: Call, message: str) -> None:
    """Send a call, and check its answer and its cost."""
    # Renders and images have processes and bounds of their own.
    before_seconds = computed_seconds(web)
    answer = send(system.port, call.content)
    assert computed_seconds(web) - before_seconds < MAX_SECONDS, message
    if answer is None:  # lost, if the server closes the connection before it has read a long body
        assert len(call.content) > MIN_LONG_BYTES, message
        return
    shown = f"{message}\n{answer.status} {answer.body[:500]!r}"
    assert answer.status < 500 or _is_documented(call, answer), f"{shown}\n{system.log()[-3_000:]}"
    assert _is_file(answer) or len(answer.body) < MAX_ANSWER_BYTES, f"{len(answer.body):,} bytes: {message}"


def _is_documented(call: Call, answer: Answer) -> bool:
    """Return True for an error that says that this server sends no events, or when to send the request again."""
    if b"/events/" in call.content[:100]:
        return answer.status == 501
    return (
        answer.status == 503 and "retry-after" in answer.headers and any(slug in answer.body for slug in BUSY)
    )


def _is_file(answer: Answer) -> bool:
    """Return True for a file, and for the metrics, whose number test_measuring.py bounds."""
    is_text = answer.headers.get("content-type", "").startswith("text/plain;")
    return is_text or "content-disposition" in answer.headers
