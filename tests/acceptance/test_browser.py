"""The dashboard in a real browser: what it says, what it changes, and that it can be used by everybody."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from tests.acceptance import pictures
from tests.acceptance.axe import assert_accessible
from tests.acceptance.system import MANAGE, System
from tests.waiting import promised, wait_for

pytestmark = pytest.mark.xdist_group("dashboard")
ANSWERS = re.compile("^(No|Yes|Yes, on another host|Not known|Not yet, but soon)$")
EMPTY_SERIES = {
    "times": [1, 2],
    "modes": ["inline", "inline"],
    "values": {"queue_depth": [0, 0], "render_p95_seconds": [None, None]},
    "shadows": {},
    "changes": [],
    "limits": {},
}
BOXES = "elements => elements.map(element => element.getBoundingClientRect().toJSON())"
TWO_DAYS = "from tests.acceptance import two_days; two_days.fill()"


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    started = System(tmp_path_factory.mktemp("system"), SPMS_MODE="auto", SPMS_WEB_THREADS="4")
    started.prepare()
    started.start_web()
    started.start_workers()
    started.wait_until_workers_are_listed()
    for document in started.documents(kind="concept_plan")[:4]:
        assert started.make(document).ok
    started.manage("evaluate_thresholds")
    started.manage("shell", "-v", "0", "-c", TWO_DAYS)
    started.start(*MANAGE, "evaluate_thresholds", "--every", "1s")
    wait_for(lambda: started.call("GET", "thresholds/").json()["thresholds"])
    yield started
    started.stop()


@pytest.fixture
def open_page(visit):
    """Return a function that opens the dashboard as the maintainer, in a browser of its own."""

    def open_page(**options):
        page = visit("/dashboard/", **options)
        expect(page.get_by_test_id("sentence")).to_be_visible()
        return page

    return open_page


def boxes(elements):
    """Return where elements are, in pixels, all at one moment: the page replaces its parts every two seconds."""
    return elements.evaluate_all(BOXES)


@pytest.mark.parametrize(("name", "options"), pictures.LOOKS.items(), ids=pictures.LOOKS)
def test_it_says_the_mode_the_reason_and_every_limit(open_page, name, options):
    page = open_page(**options)
    expect(page.get_by_test_id("sentence")).to_contain_text(re.compile("Inline since|Queue since"))
    expect(page.get_by_test_id("answer")).to_have_text(ANSWERS)
    expect(page.locator("table.limits tbody tr")).to_have_count(12)
    expect(page.get_by_test_id("host")).to_contain_text("workers and web share its cores")
    expect(page.locator(".chart canvas").first).to_be_visible()
    pictures.keep(page, f"dashboard-{name}")


def test_value_limit_and_state_fit_a_phone_without_scrolling_sideways(open_page):
    page = open_page(viewport={"width": 390, "height": 844})
    cells = boxes(page.locator("table.limits tbody tr td:visible, table.limits tbody th"))
    assert cells
    assert all(cell["left"] >= 0 and cell["right"] <= 390 for cell in cells), cells
    assert (
        page.evaluate("(box => box.scrollWidth - box.clientWidth)(document.getElementById('limits-scroll'))")
        <= 0
    )
    assert_accessible(page)


def test_the_address_of_a_limit_leads_to_it_and_stays_on_it(visit):
    page = visit("/dashboard/#user_complaints")
    row = page.locator("#user_complaints.is-target")
    expect(row).to_be_in_viewport()
    digest = page.locator("#seen").input_value()
    page.wait_for_function("seen => document.getElementById('seen').value !== seen", arg=digest)
    expect(row).to_be_visible()


def test_charts_without_data_are_one_sentence(open_page):
    page = open_page()
    page.route("**/series/**", lambda route: route.fulfill(json=EMPTY_SERIES))
    page.get_by_role("button", name="1h").click()
    expect(page.locator("#charts")).to_have_text(
        "Nothing was measured in 1h. The charts begin with the first requests."
    )


def test_a_change_of_the_mode_is_seen_in_another_page_within_three_seconds(system, open_page):
    page, other = open_page(), open_page()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_label("Queue: workers render PDFs").check()
    page.get_by_label("Why").fill("a test")
    page.get_by_role("button", name="Change the mode").click()
    expect(other.locator(".hero .pill")).to_have_text("Queue", timeout=1000 * promised(3))
    expect(other.get_by_text("Chosen by maintainer until")).to_be_visible()
    wait_for(lambda: system.call("GET", "mode/").json()["effective"] == "queue", promised(3))
    other.get_by_role("button", name="End it now").click()
    expect(page.locator(".hero .pill")).to_have_text("Inline", timeout=1000 * promised(5))


def test_a_change_can_be_taken_back_before_it_is_made(system, open_page):
    page = open_page()
    page.on("dialog", lambda dialog: dialog.dismiss())
    page.get_by_label("Queue: workers render PDFs").check()
    page.get_by_label("Why").fill("a test")
    page.get_by_role("button", name="Change the mode").click()
    expect(page.locator(".hero .pill")).to_have_text("Inline")


def test_what_if_answers_at_once(system, open_page):
    for _ in range(2):
        assert system.make(system.documents(kind="concept_plan")[0]).ok
    page = open_page()
    expect(page.locator("#what-if")).to_contain_text("95 of 100 PDFs")
    page.get_by_label(re.compile("Render time")).fill("10")
    expect(page.locator("output[for=render_time]")).to_have_text("10")
    expect(page.locator("#what-if strong")).not_to_be_empty()


def test_it_works_with_the_keyboard_alone(open_page):
    page = open_page()
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    focused = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        focused.add(
            page.evaluate("document.activeElement.name || document.activeElement.dataset.range || ''")
        )
    assert {"24h", "setting", "seconds", "reason", "traffic", "web_threads"} <= focused


def test_the_page_is_light(open_page):
    page, ended = open_page(), []
    page.on("requestfinished", lambda request: ended.extend([request]))
    page.reload()
    page.wait_for_selector(".chart canvas")
    # How often the living part is asked for hangs on how long all this takes.
    once = [request for request in list(ended) if "/dashboard/live/" not in request.url]
    sizes = {request.url: request.sizes()["responseBodySize"] for request in once}
    assert any("htmx" in url for url in sizes)
    assert sum(sizes.values()) < 150_000, sizes


@pytest.mark.parametrize("viewport", [{"width": 390, "height": 844}, {"width": 1280, "height": 800}])
def test_the_answer_is_on_the_first_screen(open_page, viewport):
    page = open_page(viewport=viewport)
    for name in ("answer", "to-do", "sentence"):
        [box] = boxes(page.get_by_test_id(name))
        assert box["bottom"] <= viewport["height"], name
    [answer] = boxes(page.get_by_test_id("answer"))
    assert answer["height"] >= 40


def test_evidence_stays_open_while_the_page_lives_on(system, open_page):
    page = open_page()
    evidence = page.locator("#changes details").first
    evidence.locator("summary").click()
    expect(evidence.get_by_role("cell", name="p95 response time")).to_be_visible()
    page.locator("#evaluation-title").click()
    expect(page.locator("#evaluation table")).to_be_visible()
    digest = page.locator("#seen").input_value()
    page.wait_for_function("seen => document.getElementById('seen').value !== seen", arg=digest)
    system.manage("mode", "queue", "--for", "1h", "--reason", "another change")
    expect(page.locator("#changes li").first).to_contain_text("another change", timeout=1000 * promised(10))
    system.manage("mode", "auto")
    expect(evidence.get_by_role("cell", name="p95 response time")).to_be_visible()
    expect(page.locator("#evaluation table")).to_be_visible()
    pictures.take(page, "dashboard-evidence")


def test_times_are_those_of_the_viewer(open_page):
    page = open_page(timezone_id="America/New_York", locale="en-GB")
    times = page.locator("time").evaluate_all(
        "times => times.map(time => [time.dateTime, time.innerText, time.dataset.format])"
    )
    assert times
    for at, text, text_format in times:
        local = datetime.fromisoformat(at).astimezone(ZoneInfo("America/New_York"))
        assert f"{local:%H:%M}" in text
        assert text_format


def test_a_page_left_open_goes_on_after_a_restart_of_the_server(system, open_page, faults):
    page = open_page()
    web = system.processes[0]
    web.terminate()
    web.wait(120)
    expect(page.locator("#offline")).to_be_visible(timeout=1000 * promised(10))
    system.start_web()
    expect(page.locator("#offline")).to_be_hidden(timeout=1000 * promised(10))
    digest = page.locator("#seen").input_value()
    page.wait_for_function("seen => document.getElementById('seen').value !== seen", arg=digest)
    assert all(re.search("ERR_|htmx:", fault) for fault in faults)
    faults.clear()


HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>{{ 7*7 }}"


def test_a_reason_is_text_whatever_it_holds(system, open_page):
    page, dialogs = open_page(), []

    def accept(dialog):
        dialogs.append(dialog.type)
        dialog.accept()

    page.on("dialog", accept)
    page.get_by_label("Inline: requests render PDFs").check()
    page.get_by_label("Why").fill(HOSTILE)
    page.get_by_role("button", name="Change the mode").click()
    expect(page.get_by_test_id("sentence")).to_contain_text(HOSTILE)
    expect(page.locator("#changes li").first).to_contain_text(HOSTILE)
    page.get_by_role("button", name="End it now").click()
    expect(page.get_by_role("button", name="End it now")).to_have_count(0)
    assert set(dialogs) == {"confirm"}
    assert page.locator("main img, main script").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_grave(open_page, scheme):
    page = open_page(color_scheme=scheme)
    page.wait_for_selector(".chart canvas")
    page.locator("#changes summary").first.click()
    page.locator("#evaluation-title").click()
    expect(page.locator("#changes .evidence table").first).to_be_visible()
    assert_accessible(page)


def test_charts_say_in_words_what_they_show_and_fit_the_width(open_page):
    page = open_page()
    chart = page.locator(".chart").first
    expect(chart.locator("figcaption")).to_contain_text(re.compile(r"p95: .*highest .* lowest .* in 24h"))
    expect(chart.locator("canvas")).to_have_attribute(
        "aria-label", re.compile("Time to answer a request; p95")
    )
    page.set_viewport_size({"width": 420, "height": 800})
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")
    expect(chart.locator("canvas")).to_be_visible()
    [box] = boxes(chart.locator(".uplot"))
    assert box["width"] <= 420
    for name in ("1h", "7d", "30d"):
        page.get_by_role("button", name=name).click()
        expect(chart.locator("figcaption")).to_contain_text(f"in {name}")


def test_only_the_answer_and_its_table_are_printed(open_page):
    page = open_page()
    page.wait_for_selector(".chart canvas")
    page.emulate_media(media="print")
    expect(page.get_by_test_id("answer")).to_be_visible()
    expect(page.locator("#evaluation table")).to_be_visible()
    for selector in (".bar", ".tiles", "table.limits", "#charts", "#changes", ".columns", "footer"):
        expect(page.locator(selector)).to_be_hidden()
    pictures.take(page, "dashboard-print")
