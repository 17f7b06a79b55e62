"""The dashboard is for staff; its pages take nothing from elsewhere; its numbers are those of the evaluation."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from metrics import evaluator, flag, history, sources
from metrics.dashboard import explain
from metrics.flag import Flag
from metrics.models import Evaluation, ModeChange, ModeState

pytestmark = pytest.mark.django_db
WHAT_IF = "/dashboard/what-if/"
PAGES = (
    "/dashboard/",
    "/dashboard/live/",
    "/dashboard/series/",
    f"{WHAT_IF}?traffic=1&render_time=1&web_workers=4",
)


@pytest.fixture(autouse=True)
def _auto(settings):
    settings.SPMS_MODE = "auto"


@pytest.fixture
def staff(client, maintainer):
    client.force_login(maintainer)
    return client


def test_it_is_for_staff_only(client, owner):
    for path in PAGES:
        assert client.get(path)["Location"].startswith("/login/?next=/dashboard/")
        client.force_login(owner)
        assert client.get(path).status_code == 404
        choice = {"setting": "queue", "seconds": 1800, "reason": "x"}
        assert client.post("/dashboard/mode/", choice).status_code == 404
        client.logout()
    assert not ModeChange.objects.exists()


def test_a_part_of_a_page_whose_session_has_ended_loads_the_whole_page(client):
    answer = client.get("/dashboard/live/", headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Refresh"]) == (204, "true")


def test_it_opens_before_anything_was_measured(staff):
    for path in PAGES:
        assert staff.get(path).status_code == 200
    assert "after the first evaluation" in staff.get("/dashboard/").content.decode()


def test_it_shows_every_limit_after_an_evaluation(staff):
    evaluator.tick(sources.Embedded())
    text = staff.get("/dashboard/").content.decode()
    assert text.count('scope="row"') == 12
    assert "Nothing was evaluated" not in text


def test_pages_take_nothing_from_elsewhere_and_no_script_inside_them(staff):
    answer = staff.get("/dashboard/")
    policy = answer["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    text = answer.content.decode()
    assert "style=" not in text
    assert "onclick" not in text
    assert "https://" not in text


def test_an_override_needs_a_reason(staff):
    assert staff.post("/dashboard/mode/", {"setting": "queue", "seconds": 1800}).status_code == 400
    assert flag.mode() == "inline"
    assert (
        staff.post("/dashboard/mode/", {"setting": "queue", "seconds": 1800, "reason": "x"}).status_code
        == 302
    )
    assert flag.mode() == "queue"
    assert staff.post("/dashboard/mode/end/").status_code == 302
    assert flag.mode() == "inline"


@pytest.mark.parametrize(
    "query",
    ["", "?traffic=x", "?traffic=0&render_time=1&web_workers=4", "?traffic=1&render_time=1&web_workers=0"],
)
def test_what_if_refuses_nonsense(staff, query):
    assert staff.get(f"{WHAT_IF}{query}").status_code == 400


def test_a_series_has_at_most_some_hundred_points(staff):
    now = timezone.now()
    Evaluation.objects.bulk_create(
        Evaluation(at=now - timedelta(seconds=15 * n), mode="inline", values={"p95_response_time": [n, None]})
        for n in range(5000)
    )
    found = staff.get("/dashboard/series/", {"range": "24h"}).json()
    assert 200 <= len(found["times"]) <= history.MOST_POINTS
    assert found["values"]["p95_response_time"][-1] == 0
    assert found["times"] == sorted(found["times"])
    assert staff.get("/dashboard/series/", {"range": "1y"}).status_code == 400


def entry(**values):
    usual = {
        "name": "p95_response_time",
        "unit": "s",
        "limit": 5.0,
        "value": 0.1,
        "shadow": 7.4,
        "state": "firing",
        "routes_to_queue": True,
        "recover_below": 0.8,
        "keep_seconds": 600,
    }
    return usual | values


def test_the_sentence_says_why_and_when_it_ends():
    queue = Flag(setting="auto", effective="queue", since=datetime.now(UTC), reason="because")
    assert explain.sentence(queue, [entry()], "14:02") == (
        "Queue since 14:02: p95 response time would be 7.4 s inline now, limit 5 s; back to inline when it has "
        "stayed below 4 s for 10 minutes."
    )
    inline = Flag(setting="auto", effective="inline", since=datetime.now(UTC), reason="because")
    assert "p95 response time at 60% of 5 s" in explain.sentence(
        inline, [entry(value=3.0, state="inactive")], "14:02"
    )
    assert "nothing is measured yet" in explain.sentence(inline, [], "14:02")
    chosen = Flag(setting="queue", effective="queue", since=datetime.now(UTC), reason="deadline (set by kim)")
    assert explain.sentence(chosen, [], "14:02") == "Queue since 14:02, because deadline (set by kim)."


def test_freshness_is_said():
    now = timezone.now()
    assert explain.freshness(now, now) == (True, "Evaluated 0 s ago.")
    assert not explain.freshness(now - timedelta(minutes=9), now)[0]
    assert "manage.py evaluate_thresholds" in explain.freshness(None, now)[1]


def test_a_sparkline_has_the_limit_at_a_quarter_and_gaps_where_nothing_is_known():
    assert explain.spark([0.0, 5.0, None, 0.0], 5.0) == "M0.0 28.0L40.0 7.0M120.0 28.0"
    assert explain.spark([None, 1.0], 5.0) == ""


def test_a_stale_evaluation_and_an_alarm_stand_on_the_page(staff):
    ModeState.objects.create(
        evaluated_at=timezone.now() - timedelta(hours=1),
        alarm="no worker is alive",
        limits_error="line 3: nonsense",
    )
    text = staff.get("/dashboard/").content.decode()
    for said in ("60 min ago", "no worker is alive", "line 3: nonsense"):
        assert said in text
