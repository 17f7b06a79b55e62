"""Mistakes by the hundred thousand cost little, and what is stored is no larger than what may be sent."""

import json
import time

import psutil
import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from documents.api.parsers import MAX_DEPTH, MAX_VALUES
from documents.exceptions import InvalidCronExpression
from documents.models import Document, document_types, richtext
from documents.operations import cron
from documents.tasks.imports.row_results import issue
from tests import factories

MAX_ANSWER_BYTES = 20_000
# Generous: before they were bounded, the attacks took up to 2.2 GB, and kept most of it.
MAX_GROWTH_BYTES = 150_000_000
MAX_SECONDS = 20


def members(count):
    return "{" + ",".join(f'"m{number}":1' for number in range(count)) + "}"


def memory_bytes():
    return psutil.Process().memory_info().rss


@pytest.mark.parametrize(
    "make_body",
    [
        lambda: members(700_000),
        lambda: f'{{"sections": {members(700_000)}}}',
        lambda: f'{{"approvals": {members(700_000)}}}',
        lambda: "[" + "{}," * 2_000_000 + "{}]",
        lambda: '{"kind": ' + "[" * 500_000 + "]" * 500_000 + "}",
        lambda: '{"a":' * 300 + "1" + "}" * 300,
    ],
    ids=["members", "section keys", "approvals", "objects", "deep lists", "deep objects"],
)
def test_a_body_of_very_many_values_is_refused_before_they_are_made(api, plan, make_body):
    body = make_body()
    api.patch(f"/api/v1/documents/{plan.pk}/", "{}", content_type="application/json")
    before, started = memory_bytes(), time.process_time()
    answer = api.patch(f"/api/v1/documents/{plan.pk}/", body, content_type="application/json")
    assert answer.status_code == 400
    assert (
        f"{MAX_VALUES:,} values" in answer.json()["detail"]
        or f"{MAX_DEPTH} levels" in answer.json()["detail"]
    )
    assert len(answer.content) < MAX_ANSWER_BYTES
    assert time.process_time() - started < MAX_SECONDS
    assert memory_bytes() - before < MAX_GROWTH_BYTES


@pytest.mark.parametrize(
    ("body", "others"),
    [
        (members(9_000), "8,980"),
        (f'{{"sections": {members(9_000)}}}', "8,980"),
        (json.dumps({"sections": {"k" * 100_000 + str(number): "" for number in range(30)}}), "10"),
    ],
)
def test_the_first_mistakes_are_listed_and_the_others_counted(api, plan, body, others):
    answer = api.patch(f"/api/v1/documents/{plan.pk}/", body, content_type="application/json")
    problem = answer.json()
    assert answer.status_code == 400
    assert len(answer.content) < MAX_ANSWER_BYTES
    assert len(problem["errors"]) == 21
    assert problem["errors"][-1]["detail"] == f"and {others} more."


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "k" * 5_000_000},
        {"status": "s" * 5_000_000},
        {"u" * 5_000_000: 1},
        {"sections": {"s" * 5_000_000: ""}},
    ],
)
def test_a_quoted_value_is_short(api, owner, values):
    project = factories.project(owner)
    body = {"kind": "concept_plan", "year": 2026, "project": project.pk} | values
    answer = api.post("/api/v1/documents/", body)
    assert answer.status_code == 400
    assert len(answer.content) < MAX_ANSWER_BYTES


def test_every_filter_and_header_gets_a_short_answer(api, plan):
    query = "&".join(f"unknown{number}=1" for number in range(300))
    for path in (f"documents/?{query}", f"documents/?kind={'k' * 4_000}", f"projects/?tag={'t' * 4_000}"):
        assert len(api.get(f"/api/v1/{path}").content) < MAX_ANSWER_BYTES
    headers = dict.fromkeys(
        ("Prefer", "Accept", "If-None-Match", "Range", "Accept-Language"), "a, b;q=0.1, " * 600
    )
    started = time.process_time()
    answer = api.get(f"/api/v1/documents/{plan.pk}/", headers=headers)
    assert answer.status_code == 200
    assert time.process_time() - started < MAX_SECONDS


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (r'"\ud800"', "half of a surrogate pair"),
        (r'"\udfff\ud800"', "half of a surrogate pair"),
        (r'{"\ud800": 1}', "half of a surrogate pair"),
        ("1e400", "too large"),
        ("-1e400", "too large"),
        ("9" * 101, "too large"),
        ("9" * 4_301, "too large"),
        ("NaN", "not JSON"),
        ("-Infinity", "not JSON"),
    ],
)
@pytest.mark.parametrize("member", ["kind", "project", "year", "sections"])
def test_a_value_that_cannot_be_stored_or_sent_back_is_refused(api, member, value, problem):
    body = f'{{"kind": "concept_plan", "year": 2026, "{member}": {value}}}'
    answer = api.post("/api/v1/documents/", body, content_type="application/json")
    assert (answer.status_code, problem in answer.json()["detail"]) == (400, True)


def test_a_pair_of_surrogates_is_a_character(api, plan):
    body = r'{"sections": {"background": "<p>\ud83c\udf0a \\ud800</p>"}}'
    answer = api.patch(f"/api/v1/documents/{plan.pk}/", body, content_type="application/json")
    assert answer.json()["sections"]["background"] == "<p>\U0001f30a \\ud800</p>"


@pytest.mark.parametrize(
    "media_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b"]
)
def test_the_form_of_a_page_is_short_as_it_is_shown_again(client, maintainer, settings, media_type):
    client.force_login(maintainer)
    body = b"due=" + b'"' * (settings.SPMS_MAX_FORM_BYTES - 4)
    shown = client.generic("POST", "/dashboard/cycles/open/", body, content_type=media_type)
    assert (shown.status_code, len(shown.content) < 1_000_000) == (400, True)
    longer = client.generic("POST", "/dashboard/cycles/open/", body + b'"', content_type=media_type)
    assert (longer.status_code, longer.json()["type"]) == (413, "urn:spms:problem:body-too-large")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/admin/documents/task/?status__exact="),
        ("post", "/dashboard/cycles/1/act/"),
        ("post", "/dashboard/tasks/pause/"),
    ],
)
def test_a_page_takes_no_nul_character(client, maintainer, method, path):
    client.force_login(maintainer)
    answer = client.get(f"{path}%00") if method == "get" else client.post(path, {"reason": "a\0b"})
    assert (answer.status_code, "NUL" in answer.json()["detail"]) == (400, True)


def test_a_body_is_utf_8(api, plan):
    body = json.dumps({"status": "revising"}).encode("utf-16")
    answer = api.generic(
        "PATCH", f"/api/v1/documents/{plan.pk}/", body, content_type="application/json; charset=utf-16"
    )
    assert (answer.status_code, "UTF-8" in answer.json()["detail"]) == (400, True)


@pytest.mark.parametrize("text", ["&" * 400_000, "a<br>&" * 150_000], ids=["ampersands", "lines"])
def test_a_section_is_bounded_as_it_is_stored(api, plan, text):
    answer = api.patch(f"/api/v1/documents/{plan.pk}/", {"sections": {"aims": text}})
    assert answer.status_code == 400
    assert "at most 1,000,000 are allowed" in answer.json()["detail"]


@pytest.mark.parametrize(
    "text",
    ["<p>" * 300_000, "<li>x" * 190_000, "<img src=x>" * 90_000],
    ids=["paragraphs", "items", "images"],
)
def test_the_elements_of_a_section_are_bounded_before_they_are_read(api, plan, text):
    answer = api.patch(f"/api/v1/documents/{plan.pk}/", {"sections": {"aims": text}})
    assert (answer.status_code, "elements; at most 15,000" in answer.json()["detail"]) == (400, True)


def test_sections_are_bounded_together(api, plan):
    large = "<p>" + "x" * 990_000 + "</p>"
    keys = document_types.CONCEPT_PLAN.section_keys()[:5]
    answer = api.patch(f"/api/v1/documents/{plan.pk}/", {"sections": dict.fromkeys(keys, large)})
    assert (answer.status_code, "at most 4,000,000" in answer.json()["detail"]) == (400, True)


def test_what_a_document_stores_is_bounded_over_many_requests(api, plan):
    large = "<p>" + "\N{CJK UNIFIED IDEOGRAPH-4E2D}" * 990_000 + "</p>"  # six bytes each in JSON
    statuses = [
        api.patch(f"/api/v1/documents/{plan.pk}/", {"sections": {key: large}}).status_code
        for key in ("aims", "background")
    ]
    assert statuses == [200, 400]
    assert len(json.dumps(Document.objects.get(pk=plan.pk).sections)) < richtext.MAX_STORED_BYTES


def test_a_list_has_no_sections_and_a_document_has(api, owner):
    text = "<p>" + "x" * 900_000 + "</p>"
    for year in range(2001, 2006):
        factories.document(owner, kind="progress_report", year=year, sections={"context": text})
    answer = api.get("/api/v1/documents/")
    assert len(answer.content) < MAX_ANSWER_BYTES
    [*items] = answer.json()["results"]
    assert all("sections" not in item for item in items)
    assert api.get(f"/api/v1/documents/{items[0]['id']}/").json()["sections"] == {"context": text}


def test_what_an_import_reports_is_short():
    found = issue(1, "c" * 9_999, "v" * 9_999, "p" * 9_999)
    assert max(map(len, (found.column, found.value, found.problem))) <= 500


def test_a_cron_expression_is_short():
    with pytest.raises(InvalidCronExpression, match="100 characters"):
        cron.validate("0 7 * * " + "1," * 100_000, timezone.localtime())


@pytest.mark.parametrize(
    "arguments",
    [
        {"what": "projects", "format": "csv", "filters": {"tag": "t" * 5_000_000}},
        {"what": "projects", "format": "csv", "filters": "tag"},
        {"what": ["projects"], "format": "csv"},
        {"what": "projects", "format": "csv", "filters": {"tag": {"a": [1]}}},
        {f"word{number}": 1 for number in range(5_000)},
    ],
)
def test_the_arguments_of_a_scheduled_report_are_short_texts(maintainer, client_of, arguments):
    report = {"name": "Daily", "kind": "export", "receivers": ["a@example.org"], "cron": "0 7 * * *"}
    answer = client_of(maintainer).post("/api/v1/reports/", report | {"arguments": arguments})
    assert answer.status_code == 400
    assert len(answer.content) < MAX_ANSWER_BYTES


def test_unknown_sections_are_named_in_short_however_many():
    with pytest.raises(ValidationError) as caught:
        richtext.clean_sections(document_types.CONCEPT_PLAN, {f"k{number}": "" for number in range(50)})
    assert caught.value.message_dict["sections"][-1] == "and 30 more."
