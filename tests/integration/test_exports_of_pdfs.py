"""Exports of PDFs: what is in the ZIP, what is missing and why, and having the missing ones made first."""

import pytest

from documents.infrastructure import storage
from documents.models import Document, Task
from documents.queue import hints
from documents.tasks.pdf import task as pdf_task
from tests import factories
from tests.exporting import later, zip_of
from tests.working import run_entries

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_zip_has_the_pdfs_that_there_are_and_names_the_others(api, plan):
    earlier = factories.document(project=plan.project, year=2025)
    missing = factories.document(project=plan.project, kind="project_plan")
    for document in (plan, earlier):
        assert api.post(f"/api/v1/documents/{document.pk}/pdf/").status_code == 201
    archive = zip_of(api)
    name = plan.filename
    assert name == earlier.filename
    assert sorted(archive.namelist()) == [f"2025/{name}", f"2026/{name}", "MISSING.txt"]
    assert archive.read(f"2026/{name}").startswith(b"%PDF")
    assert archive.read("MISSING.txt").decode().startswith(f"2026/{missing.filename}: there is no PDF")


def test_a_damaged_pdf_is_not_packed_and_a_lost_one_is_named(api, plan):
    other = factories.document(project=plan.project, kind="project_plan")
    names = []
    for document in (plan, other):
        task = api.post(f"/api/v1/documents/{document.pk}/pdf/").data["task_id"]
        names.append(Task.objects.get(pk=task).file)
    with storage.results().open(names[0], "r+b") as stream:
        stream.truncate(100)
    storage.delete(names[1])
    archive = zip_of(api)
    assert archive.namelist() == ["MISSING.txt"]
    said = archive.read("MISSING.txt").decode()
    assert "is damaged" in said
    assert "there is no PDF" in said


def test_a_zip_is_packed_again_since_its_pdfs_change_with_more_than_their_rows(api, plan):
    assert zip_of(api).namelist() == ["MISSING.txt"]
    api.post(f"/api/v1/documents/{plan.pk}/pdf/")
    assert zip_of(api).namelist() == [f"2026/{plan.filename}"]


def test_the_pdfs_that_are_missing_are_made_first_on_wish(api, plan, monkeypatch):
    monkeypatch.setattr("documents.tasks.exports.zip_file.BATCH", 1)
    monkeypatch.setattr("documents.tasks.exports.zip_file.POLL_INTERVAL_SECONDS", 0.0)
    broken = factories.document(project=plan.project, kind="project_plan")
    Document.objects.filter(pk=broken.pk).update(sections={"aims": "<div>" * 3000})
    task_id = later(api, what="documents", form="zip", make=True)
    for _ in range(8):
        run_entries()
        hints.recover()
    task = api.get(f"/api/v1/tasks/{task_id}/").data
    assert (task["status"], task["result"]["rows"]) == ("succeeded", 1), task
    assert "1 PDF is missing" in task["message"]
    pdf_tasks = Task.objects.filter(kind=pdf_task.KIND)
    assert sorted(pdf_tasks.values_list("status", "routed_by")) == [
        ("failed", "export"),
        ("succeeded", "export"),
    ]


def test_without_workers_nothing_is_made_and_the_zip_says_so(api, plan):
    assert zip_of(api, make=True).namelist() == ["MISSING.txt"]
