"""The dashboard is for staff; its pages take nothing from elsewhere; its numbers are those of the evaluation."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from metrics import flag
from metrics.collection import sources
from metrics.dashboard import change_charts, context, history, presentation
from metrics.decisions.criteria import CRITERIA, Unit
from metrics.evaluation import evaluator
from metrics.evaluation.report import ThresholdEntry
from metrics.flag import Flag
from metrics.models import Evaluation, ModeChange, ModeState
from tests.waiting import ageless

pytestmark = pytest.mark.django_db
WHAT_IF = "/dashboard/what-if/"
PAGES = (
    "/dashboard/",
    "/dashboard/live/",
    "/dashboard/series/",
    "/dashboard/changes/",
    f"{WHAT_IF}?traffic=1&render_time=1&web_threads=4",
)


@pytest.fixture(autouse=True)
def _auto(settings):
    settings.SPMS_MODE = "auto"


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


def test_it_opens_before_anything_was_measured(staff_pages):
    for path in PAGES:
        assert staff_pages.get(path).status_code == 200
    assert "after the first evaluation" in staff_pages.get("/dashboard/").content.decode()


def test_it_shows_every_limit_after_an_evaluation(staff_pages):
    evaluator.tick(sources.SnapshotSource())
    text = staff_pages.get("/dashboard/").content.decode()
    assert text.count('scope="row"') == 12
    assert "Nothing has been evaluated" not in text
    for name in CRITERIA:
        assert f'id="{name}"' in text


def test_pages_take_nothing_from_elsewhere_and_no_script_inside_them(staff_pages):
    answer = staff_pages.get("/dashboard/")
    policy = answer["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    text = answer.content.decode()
    assert "style=" not in text
    assert "onclick" not in text
    assert "https://" not in text


def test_an_override_needs_a_reason(staff_pages):
    assert staff_pages.post("/dashboard/mode/", {"setting": "queue", "seconds": 1800}).status_code == 400
    assert flag.mode() == "inline"
    assert (
        staff_pages.post("/dashboard/mode/", {"setting": "queue", "seconds": 1800, "reason": "x"}).status_code
        == 302
    )
    assert flag.mode() == "queue"
    assert staff_pages.post("/dashboard/mode/end/").status_code == 302
    assert flag.mode() == "inline"


@pytest.mark.parametrize(
    "query",
    ["", "?traffic=x", "?traffic=0&render_time=1&web_threads=4", "?traffic=1&render_time=1&web_threads=0"],
)
def test_what_if_refuses_nonsense(staff_pages, query):
    assert staff_pages.get(f"{WHAT_IF}{query}").status_code == 400


def test_a_series_has_at_most_some_hundred_points(staff_pages):
    now = timezone.now()
    Evaluation.objects.bulk_create(
        Evaluation(at=now - timedelta(seconds=15 * n), mode="inline", values={"p95_response_time": [n, None]})
        for n in range(5000)
    )
    series = staff_pages.get("/dashboard/series/", {"range": "24h"}).json()
    assert 200 <= len(series["times"]) <= history.MAX_POINTS
    assert series["values"]["p95_response_time"][-1] < 24
    assert series["times"] == sorted(series["times"])
    assert staff_pages.get("/dashboard/series/", {"range": "1y"}).status_code == 400


def entry(**values):
    return ThresholdEntry.from_json(stored_entry(**values))


def stored_entry(**values):
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
    queue = Flag(setting="auto", effective="queue", since=datetime.now(UTC), reason="queue, until 9 are done")
    said = presentation.explanation(
        queue, [entry()], {"p95_response_time": "6.1 s"}, cause="until 9 are done"
    )
    assert said == (
        ", because p95 response time was 6.1 s, limit 5 s; it would be 7.4 s inline now; back to inline when it "
        "stays below 4 s for 10 minutes."
    )
    doubled = presentation.explanation(queue, [entry(shadow=None, value=6.0)], {}, hold_multiplier=2.0)
    assert "is over its limit, limit 5 s; it is 6 s now; back to inline" in doubled
    assert doubled.endswith("for 20 minutes.")
    assert presentation.explanation(queue, [], {}, cause="until 9 are done") == ", until 9 are done."


def test_a_row_of_an_older_version_is_explained_with_its_whole_reason():
    queue = Flag(setting="auto", effective="queue", since=datetime.now(UTC), reason="queue, until 9 are done")
    assert presentation.explanation(queue, [], {}) == ": queue, until 9 are done."


def test_the_sentence_names_the_nearest_limit_while_all_are_kept():
    inline = Flag(setting="auto", effective="inline", since=datetime.now(UTC), reason="because")
    near = presentation.explanation(inline, [entry(value=3.0, state="inactive")], {})
    assert near.endswith("The nearest is p95 response time at 60 % of 5 s.")
    assert "nothing has been measured so far" in presentation.explanation(inline, [], {})
    thin = presentation.explanation(
        inline, [entry(value=9.0, state="inactive", verdict="too few samples")], {}
    )
    assert "too little has been measured so far" in thin
    chosen = Flag(setting="queue", effective="queue", since=datetime.now(UTC), reason="deadline (set by kim)")
    assert presentation.explanation(chosen, [], {}) == ", because deadline (set by kim)."


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"state": "inactive", "value": 3.0}, "met"),
        ({"state": "inactive", "value": 4.5}, "watch"),
        ({"state": "pending", "value": 6.0}, "watch"),
        ({"state": "firing", "value": 6.0}, "crossed"),
        ({"state": "no_data", "value": None}, "not known"),
        ({"state": "stale", "value": 1.0}, "not known"),
    ],
)
def test_the_evaluation_table_says_it_in_four_words(values, word):
    assert presentation.status(entry(**values)) == word


def names_in_order(**values_by_name):
    entries = [
        entry(name=name, state="inactive", routes_to_queue=name.startswith("routes"), value=value)
        for name, value in values_by_name.items()
    ]
    return [row.name for row in presentation.rows(entries, {})]


def test_rows_keep_their_places_unless_a_value_nears_its_limit():
    order = ["routes_a", "routes_b", "c", "d"]
    assert names_in_order(c=0.2, routes_a=0.1, routes_b=0.3, d=0.1) == order
    assert names_in_order(c=0.1, routes_a=0.3, routes_b=0.1, d=0.9) == order
    assert names_in_order(c=5.0, routes_a=0.3, routes_b=4.5, d=5.1) == ["routes_b", "routes_a", "c", "d"]


def test_a_limit_that_fires_comes_first_of_its_group():
    firing = entry(name="b", value=None, state="firing")
    rows = presentation.rows([entry(name="a", value=9.0, state="pending"), firing], {})
    assert [row.name for row in rows] == ["b", "a"]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, Unit.SECONDS, "–"),
        (0.0, Unit.SHARE, "0 %"),
        (0.00000827, Unit.SHARE, "< 0.01 %"),
        (0.00654, Unit.SHARE, "0.65 %"),
        (0.8712, Unit.SHARE, "87.1 %"),
        (0.00496, Unit.SECONDS, "< 0.01 s"),
        (9.996, Unit.SECONDS, "10.0 s"),
        (6.1, Unit.SECONDS, "6.10 s"),
        (1234.0, Unit.PER_DAY, "1,234 a day"),
    ],
)
def test_measured_values_have_equal_decimals(value, unit, text):
    assert presentation.figure(value, unit) == text


def test_a_time_of_nothing_is_a_dash_and_not_zero():
    [nothing] = presentation.rows([entry(value=0.0, state="inactive", samples=0)], {})
    [quick] = presentation.rows([entry(value=0.0, state="inactive", samples=40)], {})
    assert (nothing.now, nothing.used, quick.now) == ("–", None, "0 s")


def test_a_value_over_its_limit_says_why_it_does_not_count():
    [row] = presentation.rows([entry(value=9.0, state="inactive", verdict="too few samples")], {})
    assert row.state_text == "over its limit, but too few samples to tell"


def test_a_change_shows_the_p95_before_and_after_it(staff_pages):
    at = timezone.now() - timedelta(minutes=20)
    changed(1, at=at)
    changed(2, at=timezone.now() + timedelta(days=1))
    Evaluation.objects.bulk_create(
        Evaluation(
            at=at + timedelta(seconds=seconds),
            mode="queue",
            values={"request_p95_seconds": [value, None]},
        )
        for seconds, value in ((-1200, 99.0), (-60, 4.0), (-15, 6.1), (15, None), (120, 0.5))
    )
    text = staff_pages.get("/dashboard/changes/").content.decode()
    assert text.count("p95 6.10 s → 0.50 s") == text.count("<svg") == 1
    assert "p95 response time: 6.10 s before the change, 0.50 s after it" in text


def test_the_chart_of_a_change_has_the_band_on_its_side_and_gaps_where_nothing_is_known():
    at = timezone.now()
    points = [(at + timedelta(seconds=10 * n), value) for n, value in ((-1, 4.0), (0, None), (1, 1.0))]
    to_queue, to_inline = (change_charts.draw(points, at, after, 3.0) for after in ("queue", "inline"))
    assert to_queue is not None
    assert to_inline is not None
    assert to_queue.line == "M0.0 0.0M160.0 27.0"
    assert (to_queue.band_x, to_queue.band_width, to_queue.limit_y) == (80.0, 80.0, 9.0)
    assert (to_inline.band_x, to_inline.band_width) == (0.0, 80.0)
    assert change_charts.draw(points[:2], at, "queue", 3.0) is None


def test_freshness_is_said():
    now = timezone.now()
    assert presentation.freshness(now, now) == (True, "")
    assert "9 min ago" in presentation.freshness(now - timedelta(minutes=9), now)[1]
    assert presentation.freshness(None, now) == (False, "Nothing has been evaluated yet.")


def test_a_sparkline_has_the_limit_at_a_quarter_and_gaps_where_nothing_is_known():
    assert presentation.sparkline_path([0.0, 5.0, None, 0.0], 5.0) == "M0.0 28.0L40.0 7.0M120.0 28.0"
    assert presentation.sparkline_path([None, 1.0], 5.0) == ""


def test_a_stale_evaluation_and_an_alarm_stand_on_the_page(staff_pages):
    ModeState.objects.create(
        evaluated_at=timezone.now() - timedelta(hours=1),
        alarm="no worker is alive",
        limits_error="line 3: nonsense",
    )
    text = staff_pages.get("/dashboard/").content.decode()
    for said in ("60 min ago", "no worker is alive", "line 3: nonsense"):
        assert said in text


def test_a_dry_run_stands_on_the_page(staff_pages):
    ModeState.objects.create(evaluated_at=timezone.now(), report={"dry_run": True})
    assert "Dry run" in staff_pages.get("/dashboard/").content.decode()


def test_the_evaluation_table_has_four_columns_and_all_limits(staff_pages):
    evaluator.tick(sources.SnapshotSource())
    text = staff_pages.get("/dashboard/").content.decode()
    table = text[text.index('<table class="evaluation">') :].partition("</table>")[0]
    assert table.count('scope="col"') == 4
    assert table.count("<tr") == 13


def test_what_a_viewer_has_already_is_not_sent_again(staff_pages):
    evaluator.tick(sources.SnapshotSource())
    first = staff_pages.get("/dashboard/live/")
    [digest] = re.findall(r'name="seen" value="(\w+)"', first.content.decode())
    assert staff_pages.get("/dashboard/live/", {"seen": digest}).status_code == 204
    assert staff_pages.get("/dashboard/live/", {"seen": "other"}).status_code == 200


def test_the_living_part_is_computed_once_for_all_viewers(staff_pages, django_assert_num_queries):
    with ageless(context.live):
        staff_pages.get("/dashboard/live/")
        with django_assert_num_queries(2):  # the session and the user
            staff_pages.get("/dashboard/live/")


def test_an_override_is_seen_at_once(staff_pages):
    staff_pages.get("/dashboard/live/")
    staff_pages.post("/dashboard/mode/", {"setting": "queue", "seconds": 1800, "reason": "deadline"})
    assert "because deadline" in staff_pages.get("/dashboard/live/").content.decode()


def changed(number, **values):
    usual = {"before": "inline", "after": "queue", "setting": "auto", "actor": "evaluator"}
    return ModeChange.objects.create(**usual | {"reason": f"change {number}"} | values)


def test_changes_are_shown_twenty_at_a_time(staff_pages):
    for number in range(45):
        changed(number)
    pages, address = [], "/dashboard/changes/"
    while address:
        text = staff_pages.get(address, headers={"HX-Request": "true"}).content.decode()
        pages.append(re.findall(r"change (\d+)", text))
        address = "".join(re.findall(r'href="([^"]+)"', text))
    assert [len(page) for page in pages] == [20, 20, 5]
    assert [int(number) for page in pages for number in page] == list(range(44, -1, -1))
    assert "<html" in staff_pages.get("/dashboard/changes/?before=9").content.decode()
    assert staff_pages.get("/dashboard/changes/?before=nonsense").status_code == 200


def test_a_change_keeps_the_evidence_of_its_time(staff_pages):
    evaluator.tick(sources.SnapshotSource())
    told = ModeState.objects.get().report
    change = changed(1, evidence={"thresholds": told["thresholds"], "limits": "abc", "source": "embedded"})
    text = staff_pages.get(f"/dashboard/changes/{change.pk}/").content.decode()
    assert text.count("<tr") == 13
    assert "limits abc" in text
    assert "has no figures" in staff_pages.get(f"/dashboard/changes/{changed(2).pk}/").content.decode()
    assert staff_pages.get("/dashboard/changes/99999/").status_code == 404


def test_the_end_of_an_override_is_a_time_and_not_text(staff_pages):
    staff_pages.post("/dashboard/mode/", {"setting": "queue", "seconds": 1800, "reason": "deadline"})
    [shown] = context.changes(None)["changes"]
    assert (shown["reason"], shown["until"]) == ("deadline", ModeState.objects.get().override_until)
    staff_pages.post("/dashboard/mode/end/")
    assert context.changes(None)["changes"][0]["until"] is None


def test_an_override_of_an_older_version_is_shown_as_it_was_stored():
    changed(
        1, reason="deadline (until 2026-03-01T10:00+00:00)", evidence={"until": "2026-03-01T10:00:00+00:00"}
    )
    [shown] = context.changes(None)["changes"]
    assert (shown["reason"], shown["until"]) == ("deadline (until 2026-03-01T10:00+00:00)", None)


def test_a_threshold_without_data_is_called_so(staff_pages):
    at = timezone.now()
    report = {"thresholds": [stored_entry(state="no_data", value=None)]}
    ModeState.objects.create(evaluated_at=at, report=report)
    html, _ = context.live()
    assert '<span class="state">No data</span>' in html


def test_the_sentence_remembers_the_values_at_the_switch(staff_pages):
    at = timezone.now()
    then = stored_entry(shown="6.1 s", description="", headroom=None, since=None, reason="")
    changed(1, at=at, evidence={"thresholds": [then]})
    report = {"thresholds": [then | {"value": 1.0}]}
    ModeState.objects.create(mode="queue", since=at, evaluated_at=at, report=report)
    html, _ = context.live()
    assert "p95 response time was 6.1 s, limit 5 s; it would be 7.4 s inline now" in html
    assert f'datetime="{timezone.localtime(at).isoformat()}"' in html


def test_a_point_is_the_highest_of_its_interval(staff_pages):
    now = timezone.now()
    Evaluation.objects.bulk_create(
        Evaluation(
            at=now - timedelta(seconds=15 * (960 - n)),
            mode="queue" if n == 500 else "inline",
            values={"p95_response_time": [9.0 if n == 500 else 1.0, None], "unknown": [None, None]},
        )
        for n in range(960)
    )
    columns = history.columns(now, 86400.0)
    values = columns["values"]["p95_response_time"]
    assert (len(values), values.count(9.0), values.count(1.0)) == (240, 1, 239)
    assert columns["modes"][values.index(9.0)] == "queue"
    assert set(columns["values"]["unknown"]) == {None}


def test_an_evaluation_keeps_traffic_and_queue_for_the_charts(staff_pages):
    evaluator.tick(sources.SnapshotSource(), now=timezone.now().timestamp() - 15)
    evaluator.tick(sources.SnapshotSource())
    evaluation = Evaluation.objects.latest("at")
    assert evaluation.values["queue_depth"] == [0.0, None]
    assert {
        "requests_per_minute",
        "pdfs_per_hour",
        "request_p99_seconds",
        "timeout_ratio",
    } <= evaluation.values.keys()
    assert set(staff_pages.get("/dashboard/series/").json()["limits"]) < evaluation.values.keys()
