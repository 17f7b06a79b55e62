"""Cycles in a real browser: preview, open, watch, stop, resume, send again; for everybody and on every screen."""

import pytest
from playwright.sync_api import expect

from tests import mail
from tests.acceptance import pictures
from tests.acceptance.axe import assert_accessible
from tests.acceptance.system import System

pytestmark = pytest.mark.xdist_group("browser-cycles")


@pytest.fixture(scope="module")
def inbox():
    with mail.receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def system(tmp_path_factory, inbox):
    started = System(
        tmp_path_factory.mktemp("system"),
        EMAIL_URL=inbox.url,
        SPMS_MAILS_PER_MINUTE="0",
        SPMS_RETRY_BACKOFF="1s",
    )
    with started.running():
        yield started


def fill(page, year):
    page.get_by_label("Year in which the period ends").fill(str(year))
    page.get_by_label("Reports are due on").fill(f"{year}-07-31")


def open_cycle(page, year):
    page.on("dialog", lambda dialog: dialog.accept())
    fill(page, year)
    page.get_by_role("button", name="Open the cycle").click()


def test_a_cycle_is_previewed_opened_and_watched_to_its_end(system, visit, inbox):
    page = visit("/dashboard/cycles/")
    fill(page, 2041)
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("Nothing has been created yet")).to_be_visible()
    assert not inbox.messages
    with inbox.held():
        open_cycle(page, 2041)
        expect(page.locator(".hero .pill")).to_have_text("sending")
    expect(page.locator(".hero .pill")).to_have_text("done")
    assert set(inbox.ids.values()) == {1}


def test_it_is_stopped_and_resumed(system, visit, inbox):
    page = visit("/dashboard/cycles/")
    with inbox.held():
        open_cycle(page, 2042)
        page.get_by_role("button", name="Stop").click()
    expect(page.locator(".hero .pill")).to_have_text("stopped")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".hero .pill")).to_have_text("done")


def test_a_failed_letter_is_sent_again(system, visit, inbox):
    page = visit("/dashboard/cycles/")
    address = inbox.addresses[0]
    inbox.at_rcpt[address] = ["550 <b>no such mailbox</b>"]
    open_cycle(page, 2043)
    expect(page.locator(".hero .pill")).to_have_text("done")
    row = page.get_by_role("row").filter(has_text=address)
    expect(row).to_contain_text("550 <b>no such mailbox</b>")
    row.get_by_role("button", name="Send again").click()
    expect(page.get_by_text("1 letter is sent again.")).to_be_visible()
    expect(page.get_by_text(address)).to_have_count(0)


STATES = """
from documents.models import Cycle, Letter
cycle = Cycle.objects.get(year=2041)
some = list(cycle.letters.all()[:5])
for letter in some[:2]:
    Letter.objects.filter(pk=letter.pk).update(state='perhaps_sent', error='Its sender ended early.')
for letter in some[2:4]:
    Letter.objects.filter(pk=letter.pk).update(state='failed', error='550 5.1.1 no such mailbox here')
Letter.objects.filter(pk=some[4].pk).update(state='waiting', error='450 4.7.1 greylisted, come again')
"""


@pytest.mark.parametrize(("look", "options"), pictures.LOOKS.items(), ids=pictures.LOOKS)
def test_every_page_can_be_used_by_everybody_and_fits_its_screen(system, visit, look, options):
    system.manage("shell", "-v", "0", "-c", STATES)
    [cycle] = system.call("GET", "cycles/", params={"year": 2041}).json()["results"]
    page = visit("/dashboard/cycles/", **options)
    fill(page, 2050)
    page.get_by_role("button", name="Preview").click()
    pages = {
        "cycle-preview": "",
        "cycles": "/dashboard/cycles/",
        "cycle": f"/dashboard/cycles/{cycle['id']}/",
    }
    for name, path in pages.items():
        if path:
            page.goto(f"{system.address}{path}")
        expect(page.locator("main h1, main h2").first).to_be_visible()
        assert_accessible(page)
        pictures.keep(page, f"{name}-{look}")
