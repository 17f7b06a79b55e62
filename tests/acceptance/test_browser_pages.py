"""Documents and tasks in a real browser: generate in both modes, watch, cancel, retry, and plain words for faults."""

import re
import uuid

import pytest
from playwright.sync_api import expect

from tests.acceptance import pictures
from tests.acceptance.axe import assert_accessible
from tests.waiting import promised, wait_for

pytestmark = pytest.mark.xdist_group("pages")
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def system(pages_system):
    return pages_system


@pytest.fixture(params=["inline", "queue"])
def mode(request, system):
    set_mode(system, request.param)
    yield request.param
    set_mode(system, "auto")


def set_mode(system, setting):
    answer = system.call("PUT", "mode/", json={"setting": setting, "reason": "a test"})
    assert answer.ok, answer.text
    wait_for(lambda: system.call("GET", "mode/").json()["setting"] == setting)


def path_of(document):
    return f"/documents/{document['id']}/"


@pytest.fixture
def report(system):
    """A document that is new, and some seconds of work."""
    return system.long_document(600)


@pytest.fixture
def long_report(system):
    """A document that is work for longer than a page takes to look."""
    return system.long_document(3000)


def test_a_pdf_is_generated_with_progress_and_shown_in_the_page(system, visit, report, mode):
    page = visit(path_of(report))
    page.get_by_role("button", name="Generate PDF").click()
    expect(page.locator("#progress progress")).to_be_visible()
    expect(page.locator("#progress-text")).to_contain_text(re.compile(r"pages|in the queue"))
    expect(page.locator("#progress-text")).to_contain_text("The PDF is ready", timeout=120_000)
    expect(page.locator("iframe.pdf")).not_to_be_visible()
    assert not any("/pdf/?task=" in url for url in frames_of(page))
    page.get_by_text("Read it here").click()
    expect(page.locator("iframe.pdf")).to_be_visible()
    wait_for(lambda: any("/pdf/?task=" in url for url in frames_of(page)))
    assert not any(url.startswith("chrome-error") for url in frames_of(page))
    newest = system.call("GET", "tasks/", params={"document": report["id"]}).json()["results"][0]
    assert (newest["mode"], newest["status"]) == (mode, "succeeded")
    expect(page.locator("#versions-title")).to_be_visible()


def frames_of(page):
    page.title()  # what the browser has told meanwhile is heard with the next question only
    return [frame.url for frame in page.frames]


def test_an_export_is_made_and_downloaded(system, visit, mode):
    page = visit("/exports/")
    form = page.locator("form", has=page.get_by_role("button", name="Export documents"))
    form.get_by_label("Kind").select_option("concept_plan")
    form.get_by_label("Year").fill("2024" if mode == "inline" else "2023")
    form.get_by_role("button", name="Export documents").click()
    expect(form.get_by_role("status")).to_have_text(re.compile(r"\d+ rows?\."))
    card = page.locator(".cards li").first
    expect(card).to_contain_text("Documents as CSV")
    expect(card).to_contain_text("Concept Plan, 202")
    with page.expect_download() as download:
        card.get_by_role("link").click()
    assert download.value.suggested_filename.startswith("documents 20")
    assert download.value.path().read_text("utf-8-sig").startswith("tag,kind,year,status,background")


def test_an_export_that_there_cannot_be_says_why(system, visit, faults):
    page = visit("/exports/", "member")
    form = page.locator("form", has=page.get_by_role("button", name="Export documents"))
    form.get_by_label("Render missing PDFs").check()
    form.get_by_role("button", name="Export documents").click()
    expect(form.get_by_role("alert")).to_contain_text("PDFs can be made only for a ZIP")
    faults.clear()


def test_progress_goes_on_after_a_reload_and_can_be_cancelled(system, visit, long_report):
    set_mode(system, "queue")
    page = visit(path_of(long_report))
    page.get_by_role("button", name="Generate PDF").click()
    expect(page.locator("#cancel")).to_be_visible()
    wait_for(lambda: "running" in statuses_of(system, long_report))
    page.reload()
    expect(page.locator("#progress progress")).to_be_visible()
    page.locator("#cancel").click()
    expect(page.locator("#progress-text")).to_contain_text(
        "Cancelled by maintainer", timeout=1000 * promised(5)
    )
    expect(page.get_by_role("button", name="Generate PDF")).to_be_enabled()
    set_mode(system, "auto")


def statuses_of(system, document):
    tasks = system.call("GET", "tasks/", params={"document": document["id"]}).json()["results"]
    return [task["status"] for task in tasks]


def test_what_went_wrong_is_said_in_plain_words(system, visit, faults):
    document = system.documents(kind="concept_plan")[1]
    page = visit(path_of(document))
    page.route("**/api/v1/documents/*/pdf/", lambda route: route.abort())
    page.get_by_role("button", name="Generate PDF").click()
    expect(page.locator("#problem")).to_have_text("The server does not answer. Try again in a moment.")
    faults.clear()


def test_hostile_words_in_titles_and_errors_stay_words(system, visit):
    document = system.documents(kind="concept_plan")[0]
    title = {"title": f"Reefs {HOSTILE}"}
    assert system.call("PATCH", f"projects/{document['project']}/", json=title).ok
    task = system.make(document).json()["task_id"]
    system.ended(task)
    script = (
        f"from documents.models import Task; Task.objects.filter(pk='{task}').update(status='failed', "
        f"error={{'title': '{HOSTILE}', 'detail': '{HOSTILE}', 'status': 500}}, message='{HOSTILE}')"
    )
    system.manage("shell", "-v", "0", "-c", script)
    for path in ("/", path_of(document), "/dashboard/tasks/", f"/dashboard/tasks/{task}/"):
        page = visit(path)
        page.on("dialog", lambda dialog: pytest.fail("a script ran"))
        expect(page.get_by_text(HOSTILE).first).to_be_attached()


def test_people_tell_us_what_they_think(system, visit):
    page = visit(path_of(system.documents(kind="concept_plan")[0]), "member")
    page.get_by_label("It works well").check()
    page.get_by_label("What happened?").fill(HOSTILE)
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#feedback [role=status]")).to_contain_text("Thank you")


def test_people_find_their_documents_and_nothing_else(system, visit):
    page = visit("/", "stranger")
    expect(page.get_by_role("heading", name="My documents")).to_be_visible()
    expect(page.get_by_text("SP-2026-012")).to_have_count(0)
    page = visit("/", "author")
    page.get_by_label("Search").fill("SP-2026-012")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".cards li")).not_to_have_count(0)
    expect(page.get_by_role("link", name="Tasks")).to_have_count(0)
    answer = page.goto(f"{system.address}/dashboard/")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()


@pytest.fixture(autouse=True)
def _not_found_is_no_fault(faults):
    yield
    faults[:] = [text for text in faults if "404" not in text]


def test_the_keyboard_alone_generates_a_pdf(system, visit):
    document = system.documents(kind="concept_plan")[2]
    page = visit(path_of(document), "maintainer")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")  # past the navigation
    for _ in range(5):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "start":
            break
    page.keyboard.press("Enter")
    expect(page.locator("#progress-text")).to_contain_text("The PDF is ready")


def test_a_task_is_cancelled_and_retried_from_its_page(system, visit, long_report):
    set_mode(system, "queue")
    task_id = system.make(long_report).json()["task_id"]
    page = visit(f"/dashboard/tasks/{task_id}/")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".hero .pill")).to_have_text("Cancelled")
    system.lengthen(long_report, 10)  # what is made now need not take long
    page.get_by_role("button", name="Retry").click()
    expect(page.locator(".hero .pill")).to_have_text("Succeeded")
    expect(page.get_by_role("link", name="Open the PDF")).to_be_visible()
    set_mode(system, "auto")


def test_the_task_page_shows_what_runs_and_chosen_tasks_are_retried(system, visit, long_report):
    set_mode(system, "queue")
    page = visit("/dashboard/tasks/")
    page.on("dialog", lambda dialog: dialog.accept())
    task_id = system.make(long_report).json()["task_id"]
    expect(page.locator("#running-title ~ .scroll progress").first).to_be_visible(timeout=1000 * promised(10))
    system.call("POST", f"tasks/{task_id}/cancel/")
    system.lengthen(long_report, 10)  # what is made now need not take long
    page.goto(f"{system.address}/dashboard/tasks/?q={task_id}")
    page.locator(f"[name=task][value='{task_id}']").check()
    page.get_by_role("button", name="Retry chosen").click()
    expect(page.get_by_text("Done with 1 task.")).to_be_visible()
    assert system.ended(task_id)["status"] == "succeeded"
    set_mode(system, "auto")


def test_what_somebody_has_opened_stays_open_when_an_answer_was_on_its_way(system, visit):
    page, held = visit("/dashboard/tasks/"), []
    part = page.locator("#now")
    # On its way until the test lets it go.
    page.route(f"**{part.get_attribute('hx-get')}", lambda route: held.extend([route]))
    wait_for(lambda: page.title() and held)
    page.get_by_text("Pause the queue").click()
    page.get_by_label("Why").fill("it is not lost")
    part.evaluate(
        "part => { window.answer = new Promise(done => part.addEventListener('htmx:afterRequest', done)) }"
    )
    held[0].continue_()
    page.evaluate("window.answer.then(() => null)")
    expect(page.get_by_label("Why")).to_have_value("it is not lost")


def sent(page, text):
    """Choose a file of documents on the page of imports and have it checked."""
    page.get_by_label("Documents").check()
    page.get_by_label("File", exact=True).set_input_files(
        {"name": "reports.csv", "mimeType": "text/csv", "buffer": text.encode()}
    )
    page.get_by_role("button", name="Check the file").click()


def test_a_file_is_checked_and_then_imported(system, visit, mode):
    year = 2001 if mode == "inline" else 2002
    page = visit("/dashboard/imports/")
    sent(page, f"tag,kind,year,reason\nSP-2026-012,project_closure,{year},{HOSTILE}\nSP-1999-999,essay,1,\n")
    expect(
        page.get_by_role("cell", name="There is no project with this tag; import it first.")
    ).to_be_visible()
    expect(page.get_by_text(HOSTILE).first).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Import"))).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("link", name="The whole report").click()
    assert download.value.suggested_filename == "reports report.csv"
    sent(page, f"tag;kind;year;reason\nSP-2026-012;project_closure;{year};<p>Done</p>\n")
    page.get_by_role("button", name="Import 1 row").click()
    expect(page.get_by_role("heading", name="Imported: reports.csv Succeeded")).to_be_visible()
    document = system.document(kind="project_closure", year=year)
    assert document["sections"] == {"reason": "<p>Done</p>"}


def test_a_file_that_cannot_be_read_is_said_in_plain_words(system, visit, faults):
    page = visit("/dashboard/imports/")
    page.get_by_label("File", exact=True).set_input_files(
        {"name": "old.csv", "mimeType": "text/csv", "buffer": b"tag,title\nx,Gr\xf6\xdfe\n"}
    )
    page.get_by_role("button", name="Check the file").click()
    expect(page.locator("form .alarm")).to_contain_text("Save it as “CSV UTF-8”")
    faults[:] = [text for text in faults if "422" not in text]


def test_the_queue_is_paused_and_resumed(system, visit):
    page = visit("/dashboard/tasks/")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_text("Pause the queue").click()
    page.get_by_label("Why").fill(HOSTILE)
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_text("The queue is paused")).to_be_visible()
    page.get_by_role("button", name="Resume the queue").click()
    expect(page.get_by_text("The queue is paused")).to_have_count(0)


def test_a_report_is_scheduled_paused_and_deleted(system, visit, faults):
    page = visit("/dashboard/reports/")
    page.on("dialog", lambda dialog: dialog.accept())
    form = page.locator("form").filter(has_text="Schedule the export")
    form.get_by_label("Name").fill("Plans <b>weekly</b>")
    form.get_by_label("When").fill("0 0 30 2 *")
    form.get_by_label("Recipients").fill("board@example.org chief@example.org")
    form.get_by_role("button").click()
    expect(form.get_by_role("alert")).to_contain_text("bad day-of-month")
    form.get_by_label("When").fill("0 7 * * MON")
    form.get_by_role("button").click()
    expect(page.get_by_text("to board@example.org, chief@example.org")).to_be_visible()
    page.get_by_role("button", name="Pause Plans <b>weekly</b>").click()
    expect(page.get_by_text("Paused", exact=True)).to_be_visible()
    page.get_by_role("button", name="Delete Plans <b>weekly</b>").click()
    expect(page.get_by_text("Nothing is scheduled yet.")).to_be_visible()
    assert ["400" in fault for fault in faults] == [True]  # the browser notes that one was refused
    faults.clear()


def with_a_missing_image(system):
    """Return a document that was changed since its PDF, and lacks an image in its text."""
    document = system.documents(kind="concept_plan")[3]
    system.ended(system.make(document).json()["task_id"])
    text = "<p>Before.</p><p><img alt='Map of the bay' title='map.png'></p>" + "<p>A line.</p>" * 60
    sent = {"sections": {"background": f"<p>{uuid.uuid4()}</p>{text}"}}
    assert system.call("PATCH", f"documents/{document['id']}/", json=sent).ok
    return document


@pytest.mark.parametrize(("look", "options"), pictures.LOOKS.items(), ids=pictures.LOOKS)
def test_every_page_can_be_used_by_everybody_and_fits_its_screen(system, visit, look, options):
    document = system.documents(kind="project_plan")[0]
    task_id = system.make(document).json()["task_id"]
    system.ended(task_id)
    changed = with_a_missing_image(system)
    system.call(
        "POST",
        "imports/",
        files={"file": ("reports.csv", "tag,kind,year,reason\n=1+1,essay,1,<script>x</script>\n")},
        data={"what": "documents"},
    )
    for resource in ("projects", "documents"):
        assert system.call("POST", "exports/", json={"what": resource, "format": "xlsx"}).ok
    page = visit("/", **options)
    pages = {
        "imports": "/dashboard/imports/",
        "documents": "/",
        "grouped": "/?group=project",
        "document": path_of(document),
        "changed": path_of(changed),
        "text": f"{path_of(changed)}text/background/?rule=image-missing",
        "account": "/account/",
        "password": "/account/password/",
        "exports": "/exports/",
        "reports": "/dashboard/reports/",
        "tasks": "/dashboard/tasks/",
        "task": f"/dashboard/tasks/{task_id}/",
        "errors": "/dashboard/tasks/errors/",
        "limits": "/dashboard/",
        "changes": "/dashboard/changes/",
    }
    for name, path in pages.items():
        page.goto(f"{system.address}{path}")
        expect(page.locator("main h1, main h2").first).to_be_visible()
        assert_accessible(page)
        pictures.keep(page, f"{name}-{look}")
    page.context.clear_cookies()
    for name, path in {"login": "/", "reset": "/account/reset/", "link": "/account/reset/x/y/"}.items():
        page.goto(f"{system.address}{path}")
        assert_accessible(page)
        pictures.keep(page, f"{name}-{look}")
