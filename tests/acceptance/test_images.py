"""Images with real processes: in the page, through a worker, and when that worker is killed."""

import io
import time

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.acceptance import pictures
from tests.acceptance.axe import assert_accessible
from tests.waiting import promised, wait_for

pytestmark = pytest.mark.xdist_group("pages")
LARGE = (6000, 4000)


@pytest.fixture(scope="module")
def system(pages_system):
    return pages_system


def png(seed, size=(900, 600)):
    """Return a picture of soft colours, a different one for each seed."""
    small = Image.merge("RGB", [Image.effect_noise((9, 6), 40 + seed + band) for band in range(3)])
    stream = io.BytesIO()
    small.resize(size, Image.Resampling.BICUBIC).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def send(system, document, content, **values):
    files = {"file": ("picture.png", content)}
    return system.call("POST", f"documents/{document['id']}/images/", files=files, data=values)


def files_in(system, folder):
    return [path for path in (system.folder / folder).rglob("*") if path.is_file()]


@pytest.fixture
def plan(system):
    return system.documents(kind="concept_plan")[0]


def test_a_worker_that_is_killed_meanwhile_leaves_no_half_of_it_and_another_does_it(system, plan):
    for seed in range(10):
        system.wait_until_workers_are_listed()  # or one that is not listed yet takes it, and lives
        answer = send(system, plan, png(seed, LARGE))
        assert answer.status_code == 202, answer.text
        task_id = answer.json()["task"]["task_id"]
        if killed_while_running(system, task_id):
            break
    else:
        pytest.fail("each image was ready before its worker was killed")
    system.lapse()
    task = system.ended(task_id)
    assert (task["status"], task["attempts"]) == ("succeeded", 2)
    [image] = [
        image
        for image in system.call("GET", f"documents/{plan['id']}/images/").json()
        if image["id"] == answer.json()["id"]
    ]
    assert (image["state"], image["width"], image["height"]) == ("ready", 1240, 827)
    for path in files_in(system, "media"):
        Image.open(path).load()
    assert [path for path in files_in(system, "results") if path.suffix == ".upload"] == []
    system.wait_until_workers_are_listed()


def killed_while_running(system, task_id):
    """Kill every worker as soon as one runs the task; say whether it was soon enough."""
    while (task := system.call("GET", f"tasks/{task_id}/").json())["status"] == "queued":
        time.sleep(0.05)
    workers = system.workers()
    for worker in workers:
        worker.kill()
    wait_for(lambda: not any(worker.is_running() for worker in workers))
    return task["status"] == "running" and not system.call("GET", f"tasks/{task_id}/").json()["result"]


def test_a_pdf_begun_at_once_waits_and_shows_the_image(system, plan):
    image = send(system, plan, png(20, LARGE)).json()
    assert image["state"] == "waiting"
    changed = {"sections": {"background": f'<p>x</p><img src="{image["url"]}" alt="A bay">'}}
    assert system.call("PATCH", f"documents/{plan['id']}/", json=changed).ok
    queued = system.make(plan, headers={"Prefer": "respond-async"})
    task = system.ended(queued.json()["task_id"])
    assert (task["status"], task["result"]["warnings"]) == ("succeeded", [])


def test_an_image_is_added_in_the_page(system, visit):
    document = system.documents(kind="project_plan")[0]
    page = visit(f"/documents/{document['id']}/")
    for name, content in (("small", png(30)), ("large", png(31, LARGE))):
        page.get_by_label("Picture").set_input_files(
            {"name": f"{name}.png", "mimeType": "image/png", "buffer": content}
        )
        page.get_by_label("Caption").fill(f"A {name} bay")
        page.get_by_role("button", name="Add the image").click()
        expect(page.get_by_alt_text(f"A {name} bay")).to_be_visible(timeout=1000 * promised(20))
    expect(page.locator(".task [role=status]")).to_have_text("The image is ready.")


def test_what_is_no_image_is_said_in_the_page(system, visit, faults):
    page = visit(f"/documents/{system.documents(kind='project_plan')[0]['id']}/")
    page.get_by_label("Picture").set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": b"<svg/>"}
    )
    page.get_by_role("button", name="Add the image").click()
    expect(page.locator(".task [role=alert]")).to_contain_text("This is no image that can be read")
    faults.clear()  # the browser logs every 400


STATES = """
from documents.models import Document, DocumentImage, Task
document = Document.objects.get(pk={pk})
values = {{"kind": "image", "document": document}}
past, message = "2026-01-01T00:00:00Z", "This image is cut off or damaged; export it again and send that."
waiting = Task.objects.create(fingerprint="w", status="running", started_at=past, **values)
failed = Task.objects.create(fingerprint="f", status="failed", finished_at=past, message=message, **values)
for task, caption in ((waiting, "The reef in the second summer"), (failed, "The reef in the third summer")):
    DocumentImage.objects.create(document=document, task=task, caption=caption, width=0, height=0)
"""


def test_the_strip_shows_every_state_in_every_look(system, visit):
    document = system.documents(kind="progress_report")[0]
    for seed, caption in ((40, "The reef before the survey, seen from the north"), (41, "Transect 4")):
        assert send(system, document, png(seed), caption=caption).ok
    system.manage("shell", "-v", "0", "-c", STATES.format(pk=document["id"]))
    for look, options in pictures.LOOKS.items():
        page = visit(f"/documents/{document['id']}/", **options)
        expect(page.get_by_text("Being prepared")).to_be_visible()
        expect(page.get_by_text("Could not be prepared")).to_be_visible()
        page.get_by_alt_text("Transect 4").scroll_into_view_if_needed()
        wait_for(
            lambda page=page: (
                page.get_by_alt_text("Transect 4").evaluate("image => image.naturalWidth") == 320
            )
        )
        pictures.keep(page, f"images-{look}")
        assert_accessible(page)
