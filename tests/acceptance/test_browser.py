"""The dashboard in a real browser: what it says, what it changes, and that it can be used by everybody."""

import re
import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.acceptance.system import MANAGE, ROOT, System, wait_for

pytestmark = pytest.mark.xdist_group("dashboard")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PICTURES = ROOT / "var" / "pictures"


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    made = System(tmp_path_factory.mktemp("system"), SPMS_MODE="auto", SPMS_WEB_WORKERS="4")
    made.prepare()
    made.start_web()
    made.start_workers()
    wait_for(lambda: len(made.workers()) >= 2)
    made.start(*MANAGE, "evaluate_thresholds", "--every", "1s")
    wait_for(lambda: made.call("GET", "thresholds/").json()["thresholds"])
    yield made
    made.stop()


@pytest.fixture(scope="module")
def browser():
    options = ["--no-sandbox", "--disable-background-networking"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield started
        started.close()


@pytest.fixture
def open_page(system, browser):
    """Return a function that opens the dashboard as the maintainer, in a browser of its own."""
    contexts, faults = [], []

    def open_page(**options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: faults.extend([message.text] * (message.type == "error")))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"{system.address}/dashboard/")
        page.fill("[name=username]", "maintainer")
        page.fill("[name=password]", "sample-maintainer-1")
        page.click("[type=submit]")
        expect(page.get_by_test_id("sentence")).to_be_visible()
        faults.clear()  # the login page belongs to Django
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not faults


def keep_picture(page, name):
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"dashboard-{name}.png", full_page=True)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("light", {"viewport": {"width": 1280, "height": 900}}),
        ("dark", {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"}),
        ("phone", {"viewport": {"width": 390, "height": 844}}),
    ],
)
def test_it_says_the_mode_the_reason_and_every_limit(open_page, name, options):
    page = open_page(**options)
    expect(page.get_by_test_id("sentence")).to_contain_text(re.compile("Inline since|Queue since"))
    expect(page.locator("table.limits tbody tr")).to_have_count(12)
    expect(page.locator(".chart canvas").first).to_be_visible()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= options["viewport"]["width"], "the page scrolls sideways"
    keep_picture(page, name)


def test_a_change_of_the_mode_is_seen_in_another_page_within_three_seconds(system, open_page):
    page, other = open_page(), open_page()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_label("Queue: PDFs by workers").check()
    page.get_by_label("Why").fill("a test")
    page.get_by_role("button", name="Change the mode").click()
    expect(other.locator(".hero .pill")).to_have_text("Queue", timeout=3000)
    expect(other.get_by_text("Chosen by maintainer until")).to_be_visible()
    wait_for(lambda: system.call("GET", "mode/").json()["effective"] == "queue", seconds=3)
    other.get_by_role("button", name="End it now").click()
    expect(page.locator(".hero .pill")).to_have_text("Inline", timeout=5000)


def test_a_change_can_be_taken_back_before_it_is_made(system, open_page):
    page = open_page()
    page.on("dialog", lambda dialog: dialog.dismiss())
    page.get_by_label("Queue: PDFs by workers").check()
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
    seen = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.name || document.activeElement.dataset.range || ''"))
    assert {"24h", "setting", "seconds", "reason", "traffic", "web_workers"} <= seen


def test_the_page_is_light(open_page):
    page, sizes = open_page(), []
    page.on("response", lambda answer: sizes.append(len(answer.body())) if answer.status == 200 else None)
    page.reload()
    page.wait_for_selector(".chart canvas")
    assert sum(sizes) < 160_000, sizes
