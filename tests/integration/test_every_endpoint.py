"""Every address is tried by everybody with every method: a new one without its rule here fails."""

import re
import uuid

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver
from django.utils import timezone

from documents import schedules
from documents.models import Notice, Task
from metrics.models import ModeChange
from tests import factories

OK = "ok"
METHODS = ("get", "post", "put", "patch", "delete")
# What each of these people is answered: nobody (not signed in), a stranger, a member of the project, staff.
PEOPLE = ("nobody", "stranger", "member", "maintainer")
PUBLIC = (OK, OK, OK, OK)
SIGNED_IN = (401, OK, OK, OK)
MEMBERS = (401, 404, OK, OK)
STAFF = (401, 403, 403, OK)
STAFF_OF_WHAT_MEMBERS_SEE = (401, 403, 403, OK)
STAFF_AFTER_LOOKING = (401, 404, 403, OK)
PAGE = (302, OK, OK, OK)
MEMBERS_PAGE = (302, 404, OK, OK)
STAFF_PAGE = (302, 404, 404, OK)
LOCAL = (OK, OK, OK, OK)  # from this machine; tests/integration/test_measuring.py tries it from elsewhere

RULES: dict[str, dict[str, tuple[object, ...]]] = {
    "api/v1/auth/token/": {"post": PUBLIC},
    "api/v1/images/<image>/": {"get": MEMBERS},
    "api/v1/tasks/<task>/notices/": {"get": MEMBERS},
    "api/v1/tasks/<task>/notices/<notice>/resend/": {"post": MEMBERS},
    "api/v1/projects/": {"get": SIGNED_IN, "post": STAFF},
    "api/v1/projects/<project>/": {
        "get": MEMBERS,
        "patch": STAFF_OF_WHAT_MEMBERS_SEE,
        "delete": STAFF_OF_WHAT_MEMBERS_SEE,
    },
    "api/v1/documents/": {"get": SIGNED_IN, "post": SIGNED_IN},
    "api/v1/documents/<document>/": {"get": MEMBERS, "patch": MEMBERS, "delete": STAFF_AFTER_LOOKING},
    "api/v1/documents/<document>/images/": {"get": MEMBERS, "post": MEMBERS},
    "api/v1/documents/<document>/pdf/": {"get": (401, 404, OK, OK), "post": MEMBERS},
    "api/v1/tasks/": {"get": SIGNED_IN},
    "api/v1/tasks/<task>/": {"get": MEMBERS},
    "api/v1/tasks/<task>/file/": {"get": MEMBERS},
    "api/v1/tasks/<task>/events/": {"get": MEMBERS},
    "api/v1/tasks/<task>/cancel/": {"post": MEMBERS},
    "api/v1/tasks/<task>/retry/": {"post": MEMBERS},
    "api/v1/thresholds/": {"get": SIGNED_IN},
    "api/v1/mode/": {"get": SIGNED_IN, "put": STAFF},
    "api/v1/feedback/": {"post": SIGNED_IN},
    "api/schema/": {"get": PUBLIC},
    "api/docs/": {"get": PUBLIC},
    "healthz/live": {"get": PUBLIC},
    "healthz/ready": {"get": PUBLIC},
    "": {"get": PAGE},
    "documents/<document>/": {"get": MEMBERS_PAGE},
    "documents/<document>/made/": {"get": MEMBERS_PAGE},
    "dashboard/tasks/": {"get": STAFF_PAGE},
    "dashboard/tasks/now/": {"get": STAFF_PAGE},
    "dashboard/tasks/list/": {"get": STAFF_PAGE},
    "dashboard/tasks/act/": {"post": STAFF_PAGE},
    "dashboard/tasks/pause/": {"post": STAFF_PAGE},
    "dashboard/tasks/resume/": {"post": STAFF_PAGE},
    "dashboard/tasks/groups/<key>/retry/": {"post": STAFF_PAGE},
    "dashboard/tasks/schedules/<name>/run/": {"post": STAFF_PAGE},
    "dashboard/tasks/<task>/": {"get": STAFF_PAGE},
    "dashboard/tasks/<task>/now/": {"get": STAFF_PAGE},
    "dashboard/": {"get": STAFF_PAGE},
    "dashboard/live/": {"get": STAFF_PAGE},
    "dashboard/series/": {"get": STAFF_PAGE},
    "dashboard/changes/": {"get": STAFF_PAGE},
    "dashboard/changes/<change>/": {"get": STAFF_PAGE},
    "dashboard/what-if/": {"get": STAFF_PAGE},
    "dashboard/mode/": {"post": STAFF_PAGE},
    "dashboard/mode/end/": {"post": STAFF_PAGE},
    "login/": {"get": PUBLIC, "post": PUBLIC, "put": PUBLIC},
    "logout/": {"post": PUBLIC},
    "metrics": {"get": LOCAL},
}
# The words of the addresses that say no more than "pk".
NAMED = {
    "images/<pk>": "images/<image>",
    "projects/<pk>": "projects/<project>",
    "documents/<pk>": "documents/<document>",
    "tasks/<pk>": "tasks/<task>",
    "tasks/<task_id>": "tasks/<task>",
    "notices/<notice_id>": "notices/<notice>",
    "changes/<pk>": "changes/<change>",
}


def routes():
    """Return every address but those of the admin, which asks for staff itself."""
    return sorted(_named(route) for route in _walk(get_resolver()) if not route.startswith("admin/"))


def _walk(resolver, prefix=""):
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route
        else:
            yield from _walk(pattern, route)


def _named(route):
    plain = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", route).replace("^", "").replace("$", "")
    plain = re.sub(r"<\w+:(\w+)>", r"<\1>", plain)
    for words, named in NAMED.items():
        plain = plain.replace(words, named)
    return plain


@pytest.fixture
def rows(plan, owner, member, maintainer, stranger):
    """Return what the words in the addresses stand for: all of it belongs to the members of one project."""
    error = {"type": "x", "title": "Broken", "detail": "broken", "status": 500}
    task = Task.objects.create(
        kind="pdf",
        document=plan,
        requested_by=owner,
        fingerprint=uuid.uuid4().hex,
        status="failed",
        error=error,
        finished_at=timezone.now(),
    )
    notices = [
        Notice.objects.create(task=task, channel="mail", target=person.email, requested_by=person)
        for person in (member, maintainer)
    ]
    change = ModeChange.objects.create(
        before="inline", after="queue", setting="auto", actor="evaluator", reason="load"
    )
    schedules.ensure()
    return {
        "image": factories.image(plan).pk,
        "project": plan.project_id,
        "document": plan.pk,
        "task": task.pk,
        "notice": notices[0].pk,
        "change": change.pk,
        "key": "0123456789abcdef",
        "name": "cleanup",
    }


def test_every_address_has_a_rule():
    assert routes() == sorted(RULES), "say in RULES who may do what at a new address"


def answer_to(person, request, method, path):
    client = Client(raise_request_exception=False)
    if person != "nobody":
        client.force_login(request.getfixturevalue(person))
    answer = getattr(client, method)(path, data={} if method == "get" else "{}", **_body(method))
    if answer.streaming:
        b"".join(answer.streaming_content)  # a file is closed when it was read
    if answer.status_code == 302 and answer["Location"].startswith("/login/?"):
        return 302
    if answer.status_code == 404 and (b"pdf-missing" in answer.content or b"file-missing" in answer.content):
        return OK  # who may not read the document does not even hear that it has no PDF
    return answer.status_code if answer.status_code in {401, 403, 404, 405} else OK


def _body(method):
    return {} if method == "get" else {"content_type": "application/json"}


def cases():
    """Return every address; where something is rendered, its thread must see what the test has stored."""
    for route in RULES:
        is_rendering = route.startswith("api/v1/") and route.endswith(("pdf/", "retry/"))
        yield pytest.param(route, marks=pytest.mark.django_db(transaction=is_rendering))


@pytest.mark.parametrize("route", list(cases()))
@pytest.mark.parametrize("person", PEOPLE)
def test_everybody_may_do_what_the_rules_say_and_nothing_else(route, person, rows, request):
    path = "/" + re.sub(r"<(\w+)>", lambda word: str(rows[word[1]]), route)
    column = PEOPLE.index(person)
    for method in METHODS:
        found = answer_to(person, request, method, path)
        if method in RULES[route]:
            assert found == RULES[route][method][column], (method, path)
        else:
            assert found in {302, 401, 403, 404, 405}, f"{method} {path} is not in RULES"
