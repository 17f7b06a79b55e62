"""Sample data for all systems, and a real browser for the tests of pages; each module has its own ``system``."""

import shutil

import pytest
from playwright.sync_api import sync_playwright

from tests.acceptance import sample_data

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session", autouse=True)
def _sample_data_is_made_once(tmp_path_factory, worker_id):
    own = (
        tmp_path_factory.getbasetemp()
    )  # below the folder of the whole run, when there are several processes
    sample_data.folder = (own if worker_id == "master" else own.parent) / "sample-data"


@pytest.fixture(scope="module")
def browser():
    options = ["--no-sandbox", "--disable-background-networking"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield started
        started.close()


@pytest.fixture
def faults():
    """Return what the console of every page complained of; a test that expects faults takes them out."""
    found: list[str] = []
    yield found
    assert not found


@pytest.fixture
def visit(system, browser, faults):
    """Return a function that signs in, in a browser of its own, and opens a page."""
    contexts = []

    def visit(path, username="maintainer", **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: faults.extend([message.text] * (message.type == "error")))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"{system.address}{path}", wait_until="domcontentloaded")
        page.fill("[name=username]", username)
        page.fill("[name=password]", f"sample-{username}-1")
        page.click("main [type=submit]")
        page.wait_for_url(f"{system.address}{path}")
        return page

    yield visit
    for context in contexts:
        context.close()
