"""Sample data for all systems, a real browser for the tests of pages, and what modules share or have their own of."""

import contextlib
import shutil
import sys

import psutil
import pytest
from playwright.sync_api import expect, sync_playwright

from bench.ports import free_port
from tests.acceptance import annual_reports, sample_data
from tests.acceptance.servers import Postgres, listens
from tests.acceptance.system import System
from tests.waiting import wait_for

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


expect.set_options(timeout=60_000)  # what is promised in less says so itself


@pytest.fixture(scope="session", autouse=True)
def _sample_data_is_made_once(tmp_path_factory, worker_id):
    own = (
        tmp_path_factory.getbasetemp()
    )  # below the folder of the whole run, when there are several processes
    sample_data.folder = (own if worker_id == "master" else own.parent) / "sample-data"


@pytest.fixture(scope="session")
def postgres():
    """A real PostgreSQL for all tests of this process; each system has a database of its own."""
    server = Postgres()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def shared_system(tmp_path_factory):
    """Return a function that starts a system, or gives the one that runs with the same settings already.

    Modules that share one are in the same group, so that they meet in the same process.
    """
    running: dict[tuple[tuple[str, str], ...], System] = {}
    with contextlib.ExitStack() as stack:

        def shared_system(**settings):
            key = tuple(sorted(settings.items()))
            if key not in running:
                system = System(tmp_path_factory.mktemp("system"), **settings)
                running[key] = stack.enter_context(system.running())
            return running[key]

        yield shared_system


@pytest.fixture(scope="session")
def queue_system(shared_system):
    """A system that queues everything, and writes its log as a production does."""
    return shared_system(SPMS_MODE="queue", SPMS_LOGS="json", SPMS_QUEUE_LIMIT_PER_USER="1000")


@pytest.fixture(scope="session")
def pages_system(shared_system):
    """A system that decides for itself, and gives a busy machine time to render."""
    return shared_system(
        SPMS_MODE="auto", SPMS_WEB_THREADS="6", SPMS_INLINE_DEADLINE="90s", EMAIL_URL="dummymail://"
    )


@pytest.fixture(scope="session")
def events_system(shared_system):
    return shared_system(SPMS_MODE="queue", SPMS_EVENTS="true", SPMS_QUEUE_LIMIT_PER_USER="1000")


@pytest.fixture(scope="session")
def uvicorn(events_system):
    """Start uvicorn beside gunicorn; return its address and its process."""
    port = free_port()
    command = ("-m", "uvicorn", "spms.asgi:application", "--host", "127.0.0.1", "--port", str(port))
    process = events_system.start(sys.executable, *command, "--log-level", "warning")
    wait_for(lambda: listens(port))
    return f"http://127.0.0.1:{port}", psutil.Process(process.pid)


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
    messages: list[str] = []
    yield messages
    assert not messages


@pytest.fixture(scope="module")
def signed_in():
    """What a browser knows of each person after they signed in at a system."""
    return {}


@pytest.fixture
def visit(system, browser, faults, signed_in):
    """Return a function that opens a page in a browser of its own; who was not there before signs in."""
    contexts = []

    def visit(path, username="maintainer", **options):
        who, address = (system.address, username), f"{system.address}{path}"
        context = browser.new_context(storage_state=signed_in.get(who), **options)
        context.set_default_timeout(60_000)
        context.set_default_navigation_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: faults.extend([message.text] * (message.type == "error")))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(address, wait_until="domcontentloaded")
        if who not in signed_in:
            page.fill("[name=username]", username)
            page.fill("[name=password]", f"sample-{username}-1")
            page.click("main [type=submit]")
            page.wait_for_url(address)
            signed_in[who] = context.storage_state()
        assert page.url == address
        return page

    yield visit
    for context in contexts:
        context.close()


@pytest.fixture
def same_moment(monkeypatch):
    """Let every cover show the same time."""
    annual_reports.stop_clock(monkeypatch)
