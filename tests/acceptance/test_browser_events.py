"""A page that follows its task by events, and asks as ever where there are none."""

import sys

import pytest
from playwright.sync_api import expect

from tests.acceptance.servers import free_port, listens, wait_for
from tests.acceptance.system import System

pytestmark = pytest.mark.xdist_group("events")


class Uvicorn(System):
    """A system whose pages come from uvicorn, which sends events, too."""

    def start_web(self, *, kept=False, on=()):
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        command = (
            "-m",
            "uvicorn",
            "spms.asgi:application",
            "--port",
            str(self.port),
            "--log-level",
            "warning",
        )
        web = self.start(sys.executable, *command)
        wait_for(lambda: listens(self.port))
        return web


@pytest.fixture(scope="module", params=[Uvicorn, System], ids=["events", "none"])
def system(request, tmp_path_factory):
    made = request.param(tmp_path_factory.mktemp("events"), SPMS_MODE="queue", SPMS_EVENTS="true")
    with made.running():
        yield made


def test_a_pdf_is_followed_to_its_end(system, visit, faults):
    document = system.documents(kind="project_plan")[0]
    page, asked = visit(f"/documents/{document['id']}/"), []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("button", name="Generate PDF").click()
    expect(page.locator("#progress-text")).to_contain_text("The PDF is there", timeout=60_000)
    streams = [url for url in asked if url.endswith("/events/")]
    polls = [
        url for url in asked if "/api/v1/tasks/" in url and not url.endswith("/events/") and "?" not in url
    ]
    assert len(streams) == 1
    assert bool(polls) == (type(system) is System)
    if polls:  # the browser notes that the stream was refused
        assert all("501" in fault for fault in faults)
        faults.clear()
