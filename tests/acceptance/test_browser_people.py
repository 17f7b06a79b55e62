"""Authors in a real browser: the list of their documents, a document's page, and their account."""

import re
import uuid
from zipfile import ZipFile

import pytest
from playwright.sync_api import expect

from tests.acceptance import pictures
from tests.acceptance.test_browser_pages import path_of, set_mode, system, with_a_missing_image
from tests.waiting import wait_for

__all__ = ["system"]  # the fixture
pytestmark = pytest.mark.xdist_group("pages")


def change(system, document):
    """Change a document, so that its PDF is older."""
    sent = {"sections": {"aims": f"<p>Aims {uuid.uuid4()}.</p>"}}
    assert system.call("PATCH", f"documents/{document['id']}/", json=sent).ok


def row_of(page, document):
    return page.locator("#list li").filter(has=page.locator(f"[name=document][value='{document['id']}']"))


@pytest.mark.parametrize("mode", ["inline", "queue"])
def test_marked_pdfs_are_generated_with_the_keyboard_and_downloaded_as_one_zip(system, visit, mode):
    set_mode(system, mode)
    documents = system.documents(kind="concept_plan")[:3]
    for document in documents:
        change(system, document)
    page = visit("/?kind=concept_plan")
    rows = [row_of(page, document) for document in documents]
    for row in rows[:2]:
        expect(row).to_contain_text(re.compile("PDF: (Not made yet|Older than the text|Failed)"))
        row.get_by_role("checkbox").focus()
        page.keyboard.press("Space")
    page.get_by_role("button", name="Generate marked").press("Enter")
    for row in rows[:2]:
        expect(row).to_contain_text("PDF: Ready")
        expect(row.get_by_role("link", name="Download")).to_be_visible()
        expect(row.get_by_role("checkbox")).to_be_checked()
    expect(rows[2].get_by_role("button", name="Generate")).to_be_visible()
    rows[2].get_by_role("checkbox").check()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download marked as ZIP").press("Enter")
    with ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        assert sum(name.endswith("Concept Plan.pdf") for name in archive.namelist()) == 2
        assert "MISSING.txt" in archive.namelist()
    set_mode(system, "auto")


@pytest.mark.parametrize(("mode", "words"), [("inline", "1 PDF ready."), ("queue", "1 PDF in the queue.")])
def test_a_pdf_is_generated_in_its_row_which_keeps_the_focus(system, visit, mode, words):
    set_mode(system, mode)
    document = system.documents(kind="concept_plan")[0]
    change(system, document)
    page = visit("/?kind=concept_plan&group=project")
    row = row_of(page, document)
    row.get_by_role("button", name="Generate").press("Enter")
    expect(row.get_by_role("link", name="Download")).to_be_focused()
    expect(page.locator("#batch-words")).to_have_text(words)
    set_mode(system, "auto")


def test_the_first_page_of_authors_is_light(system, visit):
    page, ended = visit("/"), []
    page.on("requestfinished", lambda request: ended.extend([request]))
    page.reload(wait_until="networkidle")
    sizes = {request.url: request.sizes()["responseBodySize"] for request in ended}
    assert len(sizes) >= 5
    assert sum(sizes.values()) < 150_000, sizes


def test_a_refusal_ends_the_batch_and_says_how_many_are_left(system, visit, faults):
    documents = system.documents(kind="concept_plan")[:2]
    for document in documents:
        change(system, document)
    page = visit("/?kind=concept_plan")
    problem = {"title": "Too many waiting tasks", "detail": "Wait.", "status": 429}
    page.route("**/api/v1/documents/*/pdf/", lambda route: route.fulfill(status=429, json=problem))
    for document in documents:
        row_of(page, document).get_by_role("checkbox").check()
    page.get_by_role("button", name="Generate marked").click()
    expect(page.locator("#problem")).to_have_text("Too many waiting tasks. Wait.")
    expect(page.locator("#batch-words")).to_have_text("2 PDFs not begun; generate again later.")
    assert len(faults) == 1
    faults.clear()


def test_a_document_shows_its_first_page_what_changed_and_where_to_look(system, visit):
    document = with_a_missing_image(system)
    page = visit(path_of(document), **pictures.LOOKS["phone"])
    picture = page.get_by_role("img", name="First page of the PDF")
    picture.scroll_into_view_if_needed()
    wait_for(lambda: picture.evaluate("image => image.naturalWidth") == 440)
    expect(page.locator(".changed li").first).to_have_text("Background")
    expect(page.locator(".viewer")).to_have_count(0)
    page.get_by_role("link", name="Show me").first.click()
    place = page.locator("mark#place")
    expect(place).to_be_in_viewport()
    expect(page.get_by_role("heading", name="Background")).to_be_attached()


def test_paper_is_white_whatever_the_screen_is(system, visit):
    page = visit("/dashboard/", **pictures.LOOKS["dark"])
    page.emulate_media(media="print")
    colours = "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    assert page.evaluate(colours) == ["rgb(22, 33, 30)", "rgba(0, 0, 0, 0)"]
    page.emulate_media(media="screen")
    assert page.evaluate(colours)[0] == "rgb(230, 237, 234)"


def test_sessions_the_token_and_the_password_are_changed_by_their_person(system, visit, browser, faults):
    script = (
        "from django.contrib.auth.models import User; "
        "User.objects.create_user('changer', password='sample-changer-1')"
    )
    system.manage("shell", "-v", "0", "-c", script)
    page = visit("/account/", "changer")
    page.on("dialog", lambda dialog: dialog.accept())
    other = browser.new_context().new_page()
    other.goto(f"{system.address}/login/")
    other.fill("[name=username]", "changer")
    other.fill("[name=password]", "sample-changer-1")
    other.click("main [type=submit]")
    expect(other.get_by_role("heading", name="My documents")).to_be_visible()
    page.reload()
    page.get_by_role("button", name="End the session").click()
    expect(page.get_by_text("1 session ended.")).to_be_visible()
    other.reload()
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    other.context.close()

    page.get_by_role("button", name="Make a token").click()
    token = page.locator("#new-token").inner_text()
    page.goto(f"{system.address}/account/")
    expect(page.locator("main")).not_to_contain_text(token)
    expect(page.locator("main")).to_contain_text(token[-4:])
    page.get_by_role("link", name="Change password").click()
    page.get_by_label("Old password").fill("sample-changer-1")
    page.get_by_label("New password", exact=True).fill("changer")
    page.get_by_label("New password confirmation").fill("changer")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_role("alert").first).to_be_visible()
    page.get_by_label("Old password").fill("sample-changer-1")
    page.get_by_label("New password", exact=True).fill("a rather long sentence")
    page.get_by_label("New password confirmation").fill("a rather long sentence")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("Your password is changed.")).to_be_visible()
    expect(page.get_by_role("button", name="Make a token")).to_be_visible()
    faults.clear()
