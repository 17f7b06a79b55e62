"""A page that follows its task by events, and asks as ever where there are none."""

import copy

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.xdist_group("events")


@pytest.fixture(scope="module", params=["events", "none"])
def system(request, events_system, uvicorn):
    """The same system, as it is seen through uvicorn and through gunicorn."""
    with_events = copy.copy(events_system)
    if request.param == "events":
        with_events.address = uvicorn[0]
    return with_events


def test_a_pdf_is_followed_to_its_end(system, uvicorn, visit, faults):
    # One of which no PDF was made before.
    document = system.documents(kind="project_plan")[-1 if system.address == uvicorn[0] else -2]
    page, asked = visit(f"/documents/{document['id']}/"), []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("button", name="Generate PDF").click()
    expect(page.locator("#progress-text")).to_contain_text("The PDF is ready")
    streams = [url for url in asked if url.endswith("/events/")]
    polls = [
        url for url in asked if "/api/v1/tasks/" in url and not url.endswith("/events/") and "?" not in url
    ]
    assert len(streams) == 1
    assert bool(polls) == (system.address != uvicorn[0])
    if polls:  # the browser notes that the stream was refused
        assert all("501" in fault for fault in faults)
        faults.clear()
