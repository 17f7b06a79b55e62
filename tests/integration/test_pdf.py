"""POST …/pdf/ makes a PDF once; GET …/pdf/ sends the one of the document as it is now."""

import contextlib
import io
import threading
import time
import uuid
from typing import get_args

import pikepdf
import pypdfium2
import pytest
from django.db import connection
from rest_framework.test import APIClient

from documents.content import blocks
from documents.infrastructure import slot_queue, storage
from documents.models import Document, Task
from documents.queue.registry import TaskContext
from documents.rendering import html
from documents.rendering.pool import LineReader, Pool
from documents.tasks.pdf import task as pdf_task
from tests import factories
from tests.asking import address
from tests.prerendering import ticket_of_another_process

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def meanwhile(monkeypatch):
    """Have something done while a PDF is made: its content is read, its rendering process about to begin."""

    def have(action):
        def act_and_render(self, *arguments, **options):
            action()
            return render(self, *arguments, **options)

        render = Pool.render
        monkeypatch.setattr(Pool, "render", act_and_render)

    return have


def text_of(answer):
    pdf = pypdfium2.PdfDocument(b"".join(answer.streaming_content))
    return "\n".join(page.get_textpage().get_text_range() for page in pdf)


def test_a_post_renders_and_a_get_sends_the_pdf(api, plan):
    answer = api.post(address(plan))
    assert (answer.status_code, answer.data["status"], answer.data["mode"]) == (201, "succeeded", "inline")
    assert answer["Location"] == f"/api/v1/tasks/{answer.data['task_id']}/"
    sent = api.get(address(plan))
    assert sent["Content-Type"] == "application/pdf"
    assert sent["Content-Disposition"] == f'inline; filename="{plan.project.tag} Concept Plan.pdf"'
    text = text_of(sent)
    for printed in ("Seagrass meadows are nurseries.", plan.project.title, plan.project.tag, "Owner Example"):
        assert printed in text


def test_the_task_tells_what_was_made(api, plan):
    task = api.post(address(plan)).json()
    result = task["result"]
    assert {"task_id", "kind", "document", "status", "mode", "attempts", "progress", "message"} <= set(task)
    assert {"result", "error", "created_at", "started_at", "finished_at"} <= set(task)
    assert (result["pages"], result["version"], result["warnings"], task["attempts"]) == (1, 1, [], 1)
    assert result["bytes"] == len(b"".join(api.get(result["url"]).streaming_content))
    assert api.get(f"/api/v1/tasks/{task['task_id']}/").json() == task
    assert api.get("/api/v1/tasks/", {"status": "succeeded"}).json()["count"] == 1


def test_an_unchanged_document_is_not_rendered_again(api, plan):
    first = api.post(address(plan)).data
    again = api.post(address(plan))
    assert (again.status_code, again.data["task_id"]) == (200, first["task_id"])
    forced = api.post(f"{address(plan)}?force=true")
    assert (forced.status_code, forced.data["task_id"] != first["task_id"]) == (201, True)


def test_there_is_no_pdf_before_the_post_nor_after_a_change(api, plan):
    missing = api.get(address(plan))
    assert (missing.status_code, missing.json()["type"]) == (404, "urn:spms:problem:pdf-missing")
    assert f"POST {address(plan)}" in missing.json()["detail"]
    first = api.post(address(plan)).data
    api.patch(f"/api/v1/documents/{plan.pk}/", {"sections": {"aims": "<p>Count them.</p>"}})
    assert api.get(address(plan)).status_code == 404
    assert "Map them." in text_of(api.get(address(plan), {"task": first["task_id"]}))
    assert api.post(address(plan)).status_code == 201
    assert "Count them." in text_of(api.get(address(plan)))


@pytest.mark.parametrize("what", ["title", "team", "status", "approval", "image"])
def test_a_change_of_anything_printed_makes_another_pdf(api, plan, owner, what):
    image = factories.image(plan)
    Document.objects.filter(pk=plan.pk).update(sections={"aims": f'<img src="{image.url}" alt="a">'})
    api.post(address(plan))
    assert api.post(address(plan)).status_code == 200
    match what:
        case "title":
            type(plan.project).objects.update(title="Another")
        case "team":
            type(owner).objects.filter(pk=owner.pk).update(last_name="Renamed")
        case "status":
            Document.objects.update(status="revising")
        case "approval":
            Document.objects.update(lead_approved=True)
        case "image":
            type(image).objects.update(digest="another")
    assert api.post(address(plan)).status_code == 201


def test_a_pdf_is_sent_conditionally_and_in_ranges(api, plan):
    api.post(address(plan))
    whole = api.get(address(plan))
    content = b"".join(whole.streaming_content)
    same = api.get(address(plan), headers={"If-None-Match": whole["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    other = api.get(address(plan), headers={"If-None-Match": '"other"'})
    assert b"".join(other.streaming_content) == content
    size = len(content)
    for asked, first, last in (("0-99", 0, 99), ("100-", 100, size - 1), ("-50", size - 50, size - 1)):
        part = api.get(address(plan), headers={"Range": f"bytes={asked}"})
        assert (part.status_code, part["Content-Range"]) == (206, f"bytes {first}-{last}/{size}")
        assert b"".join(part.streaming_content) == content[first : last + 1]
    assert api.get(address(plan), headers={"Range": f"bytes={size}-"}).status_code == 416
    for odd in ("bytes=a-b", "bytes=0-1,5-9", "pages=1-2", "bytes=-", f"bytes={'9' * 5000}-"):
        whole = api.get(address(plan), headers={"Range": odd})
        assert (whole.status_code, len(b"".join(whole.streaming_content))) == (200, size)
    stale = api.get(address(plan), headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (stale.status_code, len(b"".join(stale.streaming_content))) == (200, size)


@pytest.mark.parametrize("query", ["task=nonsense", f"task={uuid.UUID(int=5)}"])
def test_a_task_that_has_no_pdf_of_this_document_is_an_error(api, plan, query):
    answer = api.get(f"{address(plan)}?{query}")
    assert (answer.status_code, answer["Content-Type"]) == (
        400 if "nonsense" in query else 404,
        "application/problem+json",
    )


def test_the_pdf_of_another_document_is_not_had_through_its_task(api, plan, stranger, client_of):
    other = factories.document(stranger)
    task = client_of(stranger).post(address(other)).data
    assert api.get(address(plan), {"task": task["task_id"]}).status_code == 404


def test_two_posts_at_once_make_one_render_and_both_get_it(plan, owner):
    Document.objects.filter(pk=plan.pk).update(sections={"aims": factories.long_text(60)})
    answers = []

    def post():
        client = APIClient()
        client.force_authenticate(owner)
        answers.append(client.post(address(plan)))
        connection.close()

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert len({answer.data["task_id"] for answer in answers}) == 1
    assert Task.objects.count() == 1


def test_a_document_deleted_while_it_renders_ends_in_404(api, plan, meanwhile):
    meanwhile(lambda: Document.objects.filter(pk=plan.pk).delete())
    answer = api.post(address(plan))
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:spms:problem:document-gone")
    task = Task.objects.get()
    assert (task.status, task.file) == ("failed", "")


def test_a_document_changed_while_it_renders_gives_a_pdf_that_says_its_version(
    api, plan, owner, client_of, meanwhile
):
    def change():
        changed = client_of(owner).patch(
            f"/api/v1/documents/{plan.pk}/", {"sections": {"aims": "<p>Short.</p>"}}
        )
        assert changed.data["version"] == 2

    meanwhile(change)
    answer = api.post(address(plan))
    assert (answer.status_code, answer.data["result"]["version"]) == (201, 1)
    assert api.get(address(plan)).status_code == 404
    assert "version 1" in text_of(api.get(answer.data["result"]["url"]))


def test_a_pdf_shows_what_is_written_while_it_waits_for_its_turn(plan, settings):
    settings.SPMS_RENDER_SLOTS = 1
    with contextlib.ExitStack() as others:
        others.enter_context(ticket_of_another_process(slot_queue.HOLDING))
        others.enter_context(ticket_of_another_process(slot_queue.WAITING))

        def change_and_leave(phase, _pages):
            if phase == "wait":
                Document.objects.filter(pk=plan.pk).update(sections={"aims": "<p>Written at last.</p>"})
                others.close()

        task = Task.objects.create(kind="pdf", document=plan, fingerprint="of what was requested")
        attempt = TaskContext(task=task, deadline=time.monotonic() + 600, report=change_and_leave)
        made = pdf_task.render(attempt).file
    assert made is not None
    with storage.open_file(made.name) as file:
        pdf = pypdfium2.PdfDocument(file.read())
    assert "Written at last." in " ".join(page.get_textpage().get_text_range() for page in pdf)


def test_a_render_past_the_inline_deadline_ends_in_504_and_the_next_works(api, plan, settings):
    Document.objects.filter(pk=plan.pk).update(sections={"aims": factories.long_text(900)})
    settings.SPMS_INLINE_DEADLINE = 2.0
    answer = api.post(address(plan))
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (504, "urn:spms:problem:render-timeout")
    task = api.get(f"/api/v1/tasks/{problem['task_id']}/").json()
    assert (task["status"], task["error"]["status"], task["result"]) == ("failed", 504, None)
    Document.objects.filter(pk=plan.pk).update(sections={"aims": "<p>Short.</p>"})
    settings.SPMS_INLINE_DEADLINE = 300.0
    assert api.post(address(plan)).status_code == 201


def test_progress_is_readable_while_it_renders(api, plan, owner, client_of, monkeypatch):
    Document.objects.filter(pk=plan.pk).update(sections={"aims": factories.long_text(150)})
    monkeypatch.setattr("documents.queue.progress.PROGRESS_INTERVAL_SECONDS", 0.0)
    reader, states = client_of(owner), []

    def one_by_one(self, timeout_seconds):
        # Otherwise what comes while somebody looks is told as one.
        messages = self.__dict__.setdefault("messages", [])
        messages += read(self, 0 if messages else timeout_seconds)
        if messages:
            yield messages.pop(0)

    def looked_at(self, job, *, deadline, report, turn):
        def report_and_look(phase, pages):
            report(phase, pages)
            [task] = reader.get("/api/v1/tasks/", {"document": plan.pk}).json()["results"]
            states.append((task["status"], task["progress"]["phase"], task["progress"]["pages"]))

        return render(self, job, deadline=deadline, report=report_and_look, turn=turn)

    read, render = LineReader.read, Pool.render
    monkeypatch.setattr(LineReader, "read", one_by_one)
    monkeypatch.setattr(Pool, "render", looked_at)
    assert api.post(address(plan)).status_code == 201
    assert {("running", "layout"), ("running", "draw")} <= {(status, phase) for status, phase, _ in states}
    assert max(pages for *_, pages in states) > 3


def test_the_pdf_is_tagged_outlined_and_described(api, plan):
    api.post(address(plan))
    pdf = pikepdf.open(io.BytesIO(b"".join(api.get(address(plan)).streaming_content)))
    assert pdf.Root.MarkInfo.Marked
    assert str(pdf.Root.Lang) == "en-AU"
    assert str(pdf.docinfo.Title) == f"{plan.project.title}: Concept Plan"
    assert "Owner Example" in str(pdf.docinfo.Author)
    assert str(pdf.docinfo.CreationDate).startswith("D:20")
    assert pdf.open_metadata()["pdfuaid:part"] == "1"
    with pdf.open_outline() as outline:
        assert [item.title for item in outline.root[0].children][:2] == ["Background", "Aims"]


def test_an_annual_report_takes_in_the_years_approved_reports(maintainer, client_of, owner):
    for number, status in ((1, "approved"), (2, "approved"), (3, "in_review")):
        factories.document(
            owner, kind="progress_report", status=status, sections={"progress": f"<p>Result {number}.</p>"}
        )
    factories.document(
        owner, kind="student_report", status="approved", sections={"progress_report": "Thesis."}
    )
    factories.document(owner, kind="progress_report", year=2025, status="approved", sections={"aims": "Old."})
    factories.project(owner, kind="external", status="active", title="A partnership")
    report = factories.document(kind="annual_report", sections={"directors_message": "<p>Welcome.</p>"})
    client = client_of(maintainer)
    answer = client.post(address(report))
    assert (answer.status_code, answer.data["result"]["warnings"]) == (201, [])
    text = text_of(client.get(address(report)))
    for printed in (
        "Welcome.",
        "Result 1.",
        "Result 2.",
        "Thesis.",
        "A partnership",
        "Contents",
        "Marine Science",
    ):
        assert printed in text
    assert "Result 3." not in text
    assert "Old." not in text


def test_every_block_has_a_template():
    printed = (*get_args(blocks.Block.__value__), blocks.NoteBlock)
    assert {block.__name__ for block in printed} == set(html.TEMPLATES)
