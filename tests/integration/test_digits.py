"""Numbers in addresses, queries, headers and bodies may have any digits: no spelling of one is an error of ours."""

import re

import pytest
from django.core.exceptions import ImproperlyConfigured
from drf_spectacular.generators import SchemaGenerator

from metrics import durations
from spms import environment
from tests import factories, importing
from tests.integration.test_every_endpoint import RULES

pytestmark = pytest.mark.django_db
# Python reads no number of more than 4,300 digits, databases none of more than 19; other scripts have digits, too.
NUMBERS = (
    *("9" * 20, "9" * 4299, "9" * 4301, "-" + "9" * 4301, "0" * 5000 + "1", "1" * 400),
    *(
        "٣",
        "１２",
        "²",
        "①",
        "१०",
        "1_000",
        "+1",
        "1e999",
        "1e400",
        "0x10",
        "inf",
        "nan",
        "1.5",
        " 1",
        "\u20001",
    ),
)
HEADER_NUMBERS = tuple(number for number in NUMBERS if number.isascii())
HEADERS = (
    *(
        "Prefer: wait={}",
        "Prefer: respond-async, wait={}",
        "Range: bytes={}-",
        "Range: bytes=-{}",
        "Range: bytes=0-{}",
    ),
    *(
        "Last-Event-ID: {}",
        "X-Request-Start: t={}",
        "X-Forwarded-For: {}",
        "X-Forwarded-Port: {}",
        "Max-Forwards: {}",
    ),
    *(
        "If-Modified-Since: {}",
        "Upgrade-Insecure-Requests: {}",
        "X-Request-ID: {}",
        "Authorization: Token {}",
    ),
)
PAGES = {
    "/": ("page", "year", "business_area", "project"),
    "/dashboard/tasks/": ("before", "document"),
    "/dashboard/tasks/list/": ("before", "document"),
    "/dashboard/cycles/": ("page", "year"),
    "/dashboard/changes/": ("before",),
    "/dashboard/series/": ("range",),
    "/dashboard/live/": ("seen",),
    "/dashboard/what-if/": ("web_threads", "seconds", "per_hour"),
}


def queries():
    """Return every address of a list or an object in the schema with each of its query parameters."""
    for path, operations in SchemaGenerator().get_schema(public=True)["paths"].items():
        for parameter in operations.get("get", {}).get("parameters", ()):
            if parameter["in"] == "query":
                yield path, parameter["name"]


def faults_of(client, path, numbers=NUMBERS, **options):
    """Return the statuses of 500 and above, and the numbers in the place of N that caused them."""
    faults = []
    for number in numbers:
        response = client.get(path.replace("N", number), **options)
        content = b"".join(response.streaming_content) if response.streaming else response.content
        if response.status_code >= 500 and b"events-unavailable" not in content:
            faults.append((response.status_code, number[:20], len(number)))
    return faults


@pytest.fixture
def signed_in(client, maintainer):
    client.force_login(maintainer)
    client.raise_request_exception = False
    return client


@pytest.fixture
def words(plan):
    """What stands for the parameters in the addresses of the schema."""
    return {"id": plan.pk, "cycle_id": factories.cycle().pk}


def test_the_queries_of_the_api(signed_in, words):
    pairs = list(queries())
    assert ("/api/v1/documents/", "page_size") in pairs
    for path, name in pairs:
        whole = re.sub(r"\{(\w+)\}", lambda word: str(words.get(word[1], 1)), path)
        assert faults_of(signed_in, f"{whole}?{name}=N") == [], (path, name)


@pytest.mark.parametrize("path", PAGES)
def test_the_queries_of_the_pages(path, signed_in):
    for name in PAGES[path]:
        assert faults_of(signed_in, f"{path}?{name}=N") == [], name


@pytest.mark.parametrize("route", [route for route in RULES if "<" in route and "get" in RULES[route]])
def test_the_numbers_in_addresses(route, signed_in):
    assert faults_of(signed_in, "/" + re.sub(r"<\w+>", "N", route)) == []


@pytest.mark.parametrize("header", HEADERS)
def test_the_numbers_in_headers(header, signed_in, plan):
    name, _, value = header.partition(": ")
    image = factories.image(plan)
    for path in (f"/api/v1/documents/{plan.pk}/", f"/api/v1/documents/{plan.pk}/pdf/", image.url, "/"):
        for number in HEADER_NUMBERS:
            assert faults_of(signed_in, path, [number], headers={name: value.format(number)}) == [], path


@pytest.mark.parametrize("number", ["9" * 19, "9" * 4301, "0" * 5000 + "1"])
def test_a_length_of_many_digits_is_too_large(number, signed_in):
    body = {"content_type": "application/json", "CONTENT_LENGTH": number}
    assert signed_in.post("/api/v1/feedback/", b"{}", **body).status_code == 413


@pytest.mark.parametrize("number", NUMBERS)
def test_a_setting_is_read_or_refused_by_name(number, monkeypatch):
    monkeypatch.setenv("SPMS_X", number)
    readers = (
        lambda: environment.whole("SPMS_X", default=1),
        lambda: durations.parse_seconds("SPMS_X", number),
        lambda: durations.parse_bytes("SPMS_X", number),
    )
    for read in readers:
        try:
            assert read() >= 0
        except ImproperlyConfigured as error:
            assert "SPMS_X" in str(error)  # noqa: PT017


# Arabic-Indic, full-width and Devanagari digits, and the underscores of Python.
OTHER_DIGITS = ("\u0662\u0660\u0662\u0666", "\uff12\uff10\uff12\uff16", "\u0968\u0966\u0968\u096c", "2_026")


@pytest.mark.parametrize("year", OTHER_DIGITS)
def test_a_tag_and_a_year_are_written_in_ascii_digits(signed_in, year, plan):
    area = plan.project.business_area.pk
    values = {"title": "A", "year": 2026, "kind": "science", "business_area": area}
    for change in (
        {"tag": f"SP-{year}-901"},
        {"year": year},
        {"business_area": year},
    ):
        body = {"tag": "SP-2026-901"} | values | change
        answer = signed_in.post("/api/v1/projects/", body, content_type="application/json")
        assert (answer.status_code, next(iter(change)) in answer.json()["detail"]) == (400, True), change


@pytest.mark.parametrize("year", OTHER_DIGITS)
def test_filters_and_pages_take_ascii_digits(signed_in, year, plan):
    for name in ("year", "business_area"):
        assert signed_in.get("/api/v1/projects/", {name: year}).status_code == 400
    assert signed_in.get("/api/v1/documents/", {"page_size": year}).status_code == 400
    assert (
        signed_in.get("/api/v1/documents/", {"page": year[:1] if year[0] != "2" else "0_1"}).status_code
        == 404
    )
    body = {"what": "projects", "format": "csv", "filters": {"year": year}}
    assert signed_in.post("/api/v1/exports/", body, content_type="application/json").status_code == 400


@pytest.mark.parametrize("digit", ["\u0661", "\uff11", "\u0967", "0_1", "+1"])
def test_ids_in_addresses_are_ascii_digits(signed_in, digit, plan):
    for path in ("documents", "projects", "reports", "cycles"):
        assert signed_in.get(f"/api/v1/{path}/{digit}/").status_code == 404


@pytest.mark.django_db(transaction=True)  # a thread reads the file
@pytest.mark.parametrize("year", OTHER_DIGITS)
@pytest.mark.parametrize("column", ["tag", "year"])
def test_imports_take_ascii_digits(maintainer, client_of, plan, year, column):
    row = {"tag": "SP-2026-901", "title": "A", "year": "2026", "kind": "science"}
    row |= {"business_area": plan.project.business_area.name}
    row[column] = f"SP-{year}-901" if column == "tag" else year
    answer = importing.send(
        client_of(maintainer), f"{','.join(row)}\n{','.join(row.values())}\n", what="projects"
    )
    [issue] = answer.data["result"]["first"]
    assert issue["column"] == column
