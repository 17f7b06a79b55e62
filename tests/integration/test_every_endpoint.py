"""Every address is tried by everybody with every method: a new one without its rule here fails."""

import re
import uuid

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver
from django.utils import timezone
from django_filters.rest_framework import FilterSet

from documents.api.filters import CycleFilter, LetterFilter, TaskFilter
from documents.filters import DocumentFilter, ProjectFilter
from documents.models import ScheduledReport, Subscription, Task
from documents.operations import periodic
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
    "api/v1/imports/": {"post": STAFF},
    "api/v1/imports/<task>/apply/": {"post": (401, 403, 403, 404)},  # the task here is a PDF's
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
    "api/v1/documents/<document>/changes/": {"get": MEMBERS},
    "api/v1/documents/<document>/images/": {"get": MEMBERS, "post": MEMBERS},
    "api/v1/documents/<document>/pdf/": {"get": (401, 404, OK, OK), "post": MEMBERS},
    "api/v1/exports/": {"post": SIGNED_IN},
    "api/v1/reports/": {"get": STAFF, "post": STAFF},
    "api/v1/reports/<report>/": {"get": STAFF, "patch": STAFF, "delete": STAFF},
    "api/v1/reports/<report>/run/": {"post": STAFF},
    "dashboard/reports/": {"get": STAFF_PAGE},
    "dashboard/reports/list/": {"get": STAFF_PAGE},
    "api/v1/tasks/": {"get": SIGNED_IN},
    "api/v1/tasks/<task>/": {"get": MEMBERS},
    "api/v1/tasks/<task>/file/": {"get": MEMBERS},
    "api/v1/tasks/<task>/events/": {"get": MEMBERS},
    "api/v1/tasks/<task>/cancel/": {"post": MEMBERS},
    "api/v1/tasks/<task>/retry/": {"post": MEMBERS},
    "api/v1/cycles/": {"get": STAFF, "post": STAFF},
    "api/v1/cycles/<cycle>/": {"get": STAFF},
    "api/v1/cycles/<cycle>/stop/": {"post": STAFF},
    "api/v1/cycles/<cycle>/resume/": {"post": STAFF},
    "api/v1/cycles/<cycle>/again/": {"post": STAFF},
    "api/v1/cycles/<cycle>/letters/": {"get": STAFF},
    "api/v1/cycles/<cycle>/letters/<letter>/again/": {"post": STAFF},
    "api/v1/cycles/<cycle>/letters/<letter>/bounce/": {"post": STAFF},
    "api/v1/thresholds/": {"get": SIGNED_IN},
    "api/v1/mode/": {"get": SIGNED_IN, "put": STAFF},
    "api/v1/feedback/": {"post": SIGNED_IN},
    "api/schema/": {"get": PUBLIC},
    "api/docs/": {"get": PUBLIC},
    "healthz/live": {"get": PUBLIC},
    "healthz/ready": {"get": PUBLIC},
    "": {"get": PAGE},
    "documents/list/": {"get": PAGE},
    "documents/zip/": {"get": PAGE},
    "documents/<document>/": {"get": MEMBERS_PAGE},
    "documents/<document>/made/": {"get": MEMBERS_PAGE},
    "documents/<document>/images/": {"get": MEMBERS_PAGE},
    "documents/<document>/text/<section>/": {"get": MEMBERS_PAGE},
    "documents/<document>/first-page/<task>/": {"get": (302, 404, 404, 404)},  # the task here made no PDF
    "dashboard/imports/": {"get": STAFF_PAGE},
    "dashboard/imports/now/": {"get": STAFF_PAGE},
    "exports/": {"get": PAGE},
    "exports/made/": {"get": PAGE},
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
    "dashboard/cycles/": {"get": STAFF_PAGE},
    "dashboard/cycles/open/": {"post": STAFF_PAGE},
    "dashboard/cycles/<cycle>/": {"get": STAFF_PAGE},
    "dashboard/cycles/<cycle>/now/": {"get": STAFF_PAGE},
    "dashboard/cycles/<cycle>/act/": {"post": STAFF_PAGE},
    "dashboard/": {"get": STAFF_PAGE},
    "dashboard/live/": {"get": STAFF_PAGE},
    "dashboard/series/": {"get": STAFF_PAGE},
    "dashboard/changes/": {"get": STAFF_PAGE},
    "dashboard/tasks/errors/": {"get": STAFF_PAGE},
    "dashboard/changes/<change>/": {"get": STAFF_PAGE},
    "dashboard/what-if/": {"get": STAFF_PAGE},
    "dashboard/mode/": {"post": STAFF_PAGE},
    "dashboard/mode/end/": {"post": STAFF_PAGE},
    "account/": {"get": PAGE},
    "account/password/": {"get": PAGE, "post": PAGE, "put": PAGE},
    "account/token/": {"post": PAGE},
    "account/sessions/end/": {"post": PAGE},
    "account/reset/": {"get": PUBLIC, "post": PUBLIC},
    "account/reset/sent/": {"get": PUBLIC},
    "account/reset/<uidb64>/<token>/": {"get": PUBLIC, "post": PUBLIC},
    "login/": {"get": PUBLIC, "post": PUBLIC, "put": PUBLIC},
    "logout/": {"post": PUBLIC},
    "metrics": {"get": LOCAL},
}
# After one of these, a client may be somebody else.
SESSION_ROUTES = {"login/", "logout/"}
# The words of the addresses that say no more than "pk".
NAMED = {
    "images/<pk>": "images/<image>",
    "projects/<pk>": "projects/<project>",
    "documents/<pk>": "documents/<document>",
    "reports/<pk>": "reports/<report>",
    "tasks/<pk>": "tasks/<task>",
    "tasks/<task_id>": "tasks/<task>",
    "first-page/<task_id>": "first-page/<task>",
    "imports/<task_id>": "imports/<task>",
    "notices/<notice_id>": "notices/<notice>",
    "changes/<pk>": "changes/<change>",
    "cycles/<pk>": "cycles/<cycle>",
    "cycles/<cycle_id>": "cycles/<cycle>",
    "letters/<letter_id>": "letters/<letter>",
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
        Subscription.objects.create(task=task, channel="mail", target=person.email, requested_by=person)
        for person in (member, maintainer)
    ]
    change = ModeChange.objects.create(
        before="inline", after="queue", setting="auto", actor="evaluator", reason="load"
    )
    report = ScheduledReport.objects.create(
        name="Plans",
        owner=maintainer,
        kind="pdf",
        document=plan,
        receivers=["a@example.org"],
        cron="0 7 * * 1",
    )
    periodic.ensure_schedules()
    cycle = factories.cycle()
    return {
        "cycle": cycle.pk,
        "letter": factories.letter(cycle, member).pk,
        "image": factories.image(plan, (40, 30)).pk,
        "project": plan.project_id,
        "document": plan.pk,
        "task": task.pk,
        "notice": notices[0].pk,
        "change": change.pk,
        "report": report.pk,
        "key": "0123456789abcdef",
        "name": "cleanup",
        "section": "aims",
        "uidb64": "MQ",
        "token": "x-y",
        "area": plan.project.business_area_id,
    }


def test_every_address_has_a_rule():
    assert routes() == sorted(RULES), "say in RULES who may do what at a new address"


def answer_to(client, person, method, path):
    answer = getattr(client, method)(path, data={} if method == "get" else "{}", **_body(method))
    if answer.streaming:
        b"".join(answer.streaming_content)  # a file is closed when it was read
    has_failed = answer.status_code >= 500 and b"events-unavailable" not in answer.content
    assert not has_failed, (person, method, path, answer.status_code)
    if answer.status_code == 302 and answer["Location"].startswith("/login/?"):
        return 302
    if answer.status_code == 404 and (b"pdf-missing" in answer.content or b"file-missing" in answer.content):
        return OK  # who may not read the document does not even hear that it has no PDF
    return answer.status_code if answer.status_code in {401, 403, 404, 405} else OK


def path_of(route, rows):
    return "/" + re.sub(r"<(\w+)>", lambda word: str(rows[word[1]]), route)


def client_of(person, request):
    client = Client(raise_request_exception=False)
    if person != "nobody":
        client.force_login(request.getfixturevalue(person))
    return client


def _body(method):
    return {} if method == "get" else {"content_type": "application/json"}


def cases():
    """Return every address; where something is rendered, its thread must see what the test has stored."""
    for route in RULES:
        is_rendering = route.startswith("api/v1/") and route.endswith(("pdf/", "retry/", "resume/"))
        yield pytest.param(route, marks=pytest.mark.django_db(transaction=is_rendering))


@pytest.mark.parametrize("route", list(cases()))
@pytest.mark.parametrize("person", PEOPLE)
def test_everybody_may_do_what_the_rules_say_and_nothing_else(route, person, rows, request):
    path = path_of(route, rows)
    column = PEOPLE.index(person)
    client = client_of(person, request)
    for method in METHODS:
        if route in SESSION_ROUTES:
            client = client_of(person, request)
        answer = answer_to(client, person, method, path)
        if method in RULES[route]:
            assert answer == RULES[route][method][column], (method, path)
        else:
            assert answer in {302, 401, 403, 404, 405}, f"{method} {path} is not in RULES"


@pytest.mark.django_db
@pytest.mark.parametrize("route", [route for route, methods in RULES.items() if "get" in methods])
@pytest.mark.parametrize("person", PEOPLE)
def test_head_is_answered_as_get(route, person, rows, request):
    path, client = path_of(route, rows), client_of(person, request)
    asked, head = client.get(path), client.head(path)
    for answer in (asked, head):
        answer.close()  # of the file that it would send
    assert asked.status_code == head.status_code


@pytest.mark.django_db
@pytest.mark.parametrize("route", [route for route, methods in RULES.items() if "get" in methods])
def test_every_answer_tells_browsers_to_be_strict(route, rows, request):
    answer = client_of("maintainer", request).get(path_of(route, rows))
    answer.close()
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    # Swagger UI lets windows that sign in talk to it.
    assert answer["Cross-Origin-Opener-Policy"] == ("unsafe-none" if route == "api/docs/" else "same-origin")
    assert "default-src 'self'" in answer["Content-Security-Policy"]
    assert answer["X-Frame-Options"] == "DENY"
    cache_control = "private, max-age=86400" if "images/<image>" in route else "no-store"
    assert cache_control in answer["Cache-Control"]


@pytest.mark.django_db
@pytest.mark.parametrize("route", [route for route in RULES if "<" in route])
@pytest.mark.parametrize("person", PEOPLE)
def test_options_are_answered_as_the_first_method_is(route, person, rows, request):
    missing = rows | dict.fromkeys(("image", "task", "notice"), uuid.uuid4())
    missing |= dict.fromkeys(("project", "document", "change", "report", "cycle", "letter"), 999_999)
    client = client_of(person, request)
    there, nowhere = (client.options(path_of(route, values)) for values in (rows, missing))
    allowed = next(iter(RULES[route].values()))[PEOPLE.index(person)]
    if not route.startswith("api/") or there.status_code == 405:  # a page, or the stream of events
        assert (there.status_code, there.headers.get("Allow")) == (
            nowhere.status_code,
            nowhere.headers.get("Allow"),
        )
    elif allowed == OK:
        assert (there.status_code, nowhere.status_code) == (200, 404)
    else:
        assert there.status_code == nowhere.status_code == allowed
        assert re.sub(rb'"instance":"[^"]*"', b"", there.content) == re.sub(
            rb'"instance":"[^"]*"', b"", nowhere.content
        )


# The filters that name an object: a list shows no more with one than without it.
FILTERS = {
    "documents/?project=": "project",
    "documents/?business_area=": "area",
    "projects/?business_area=": "area",
    "tasks/?document=": "document",
}


def test_every_filter_that_names_an_object_is_known():
    lists = {"documents": DocumentFilter, "projects": ProjectFilter, "tasks": TaskFilter}
    lists |= {"cycles": CycleFilter, "letters": LetterFilter}
    assert set(lists.values()) == set(FilterSet.__subclasses__()), "name the list of a new filter set here"
    naming = {
        f"{path}/?{name}="
        for path, filterset in lists.items()
        for name, declared in filterset.base_filters.items()  # type: ignore[attr-defined]
        if declared.field_name.endswith("_id") and name != "message_id"  # that is a text in a mail
    }
    assert naming == set(FILTERS)


@pytest.mark.django_db
@pytest.mark.parametrize("query", FILTERS)
@pytest.mark.parametrize(("person", "expected"), [("stranger", 0), ("member", 1), ("maintainer", 1)])
def test_a_filter_shows_nothing_of_others(query, person, expected, rows, request):
    answer = client_of(person, request).get(f"/api/v1/{query}{rows[FILTERS[query]]}")
    assert (answer.status_code, answer.json()["count"]) == (200, expected)


@pytest.mark.django_db
@pytest.mark.parametrize("person", ["stranger", "member"])
def test_a_pdf_is_not_had_by_naming_its_task_at_another_document(person, rows, request):
    own = factories.document(request.getfixturevalue(person))
    answer = client_of(person, request).get(f"/api/v1/documents/{own.pk}/pdf/?task={rows['task']}")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:spms:problem:pdf-missing")
