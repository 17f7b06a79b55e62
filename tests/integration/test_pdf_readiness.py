"""“My documents”: how each PDF stands, and the ready ones as one ZIP."""

import io
import re
from datetime import timedelta
from zipfile import ZipFile

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from documents.content.editions import Edition
from documents.infrastructure import storage
from documents.models import Document, Task, document_types
from documents.models.tasks import PRERENDER
from documents.pages import pdf_zip
from documents.tasks.pdf import task as pdf_task
from tests import factories

READY, OLDER, MAKING, FAILED, NONE = (
    f"PDF: {words}" for words in ("Ready", "Older than the text", "Being made", "Failed", "Not made yet")
)
pytestmark = pytest.mark.django_db
rendering = pytest.mark.django_db(transaction=True)


@pytest.fixture
def states(client, owner):
    """Return a function that reads the state of each PDF from the list, by the document's id."""
    client.force_login(owner)

    def states():
        rows = client.get("/").content.decode().split("<li>")[1:]
        return {int(*re.findall(r'value="(\d+)"', row)): re.findall(r"PDF: [\w ]+", row)[0] for row in rows}

    return states


def make(api, document):
    assert api.post(f"/api/v1/documents/{document.pk}/pdf/").status_code == 201


def begin(document, fingerprint="x", **values):
    return Task.objects.create(kind="pdf", document=document, fingerprint=fingerprint, **values)


@rendering
def test_a_pdf_is_ready_until_anything_that_it_prints_changes(api, owner, plan, states):
    assert states() == {plan.pk: NONE}
    make(api, plan)
    assert states() == {plan.pk: READY}
    plan.project.apply_changes({"title": "Another title"}, by="owner")
    assert states() == {plan.pk: OLDER}
    make(api, plan)
    assert states() == {plan.pk: READY}
    owner.last_name = "Married"
    owner.save()
    assert states() == {plan.pk: OLDER}
    make(api, plan)
    plan.refresh_from_db()
    plan.apply_changes({"sections": {"aims": "<p>New aims.</p>"}}, by="owner")
    assert states() == {plan.pk: OLDER}


def fail(document, **values):
    now = timezone.now()
    error = {"type": "document-unrenderable", "title": "No layout", "detail": "Too deep.", "status": 422}
    ended = {"status": "failed", "error": error, "started_at": now, "finished_at": now}
    return begin(document, fingerprint=pdf_task.fingerprint(document), **ended, **values)


def test_what_is_being_made_or_failed_is_said(plan, states):
    fail(plan)
    assert states() == {plan.pk: FAILED}
    running = begin(plan, status="running")
    assert states() == {plan.pk: MAKING}
    Task.objects.filter(pk=running.pk).update(status="cancelled")
    assert states() == {plan.pk: NONE}


def test_what_nobody_asked_for_is_neither_being_made_nor_failed(plan, states):
    fail(plan, routed_by=PRERENDER)
    assert states() == {plan.pk: NONE}
    begin(plan, routed_by=PRERENDER, status="running")
    assert states() == {plan.pk: NONE}


def test_a_failure_is_said_until_the_document_changes_here_and_on_its_page(client, plan, states):
    def page():
        return client.get(f"/documents/{plan.pk}/made/").content.decode()

    fail(plan)
    assert (states(), "No layout" in page()) == ({plan.pk: FAILED}, True)
    plan.apply_changes({"sections": {"aims": "<p>Shorter.</p>"}}, by="owner")
    assert (states(), "No layout" in page()) == ({plan.pk: NONE}, False)


def test_a_notice_of_a_cancelled_pdf_is_shown_until_the_document_changes(client, owner, plan):
    client.force_login(owner)
    ended = {"status": "cancelled", "message": "Cancelled by owner.", "arguments": {"variant": "pdf/a-3a"}}
    begin(plan, fingerprint=pdf_task.fingerprint(plan, Edition(variant="pdf/a-3a")), **ended)
    assert "Cancelled by owner." in client.get(f"/documents/{plan.pk}/").content.decode()
    plan.project.apply_changes({"title": "Another title"}, by="owner")
    assert "Cancelled by owner." not in client.get(f"/documents/{plan.pk}/").content.decode()


def test_an_annual_report_has_failed_until_it_or_a_report_of_its_year_changes(client, maintainer):
    report = factories.document(kind=document_types.ANNUAL_REPORT.key, year=2026)
    chapter = factories.document(maintainer, kind="progress_report", year=2026)
    client.force_login(maintainer)
    for changed in (report, chapter):
        fail(report)
        assert FAILED in client.get("/?kind=annual_report").content.decode()
        changed.apply_changes({"status": "in_review"}, by="maintainer")
        assert NONE in client.get("/?kind=annual_report").content.decode()


def test_another_edition_is_not_the_pdf_of_the_list(plan, states):
    begin(plan, status="running", arguments={"variant": "pdf/a-3a"})
    assert states() == {plan.pk: NONE}


def test_an_annual_report_is_older_once_a_report_of_its_year_changed(client, maintainer):
    report = factories.document(kind=document_types.ANNUAL_REPORT.key, year=2026)
    chapter = factories.document(maintainer, kind="progress_report", year=2026)
    result = {"pages": 3, "bytes": 9, "seconds": 1.0, "version": report.version, "warnings": []}
    now = timezone.now()
    begin(report, status="succeeded", result=result, started_at=now, finished_at=now)
    client.force_login(maintainer)
    assert READY in client.get("/?kind=annual_report").content.decode()
    later = now + timedelta(seconds=1)
    Document.objects.filter(pk=chapter.pk).update(updated_at=later)
    assert OLDER in client.get("/?kind=annual_report").content.decode()


@rendering
def test_the_number_of_queries_is_that_of_one_document(api, owner, states):
    make(api, factories.document(owner))
    with CaptureQueriesContext(connection) as queries:
        assert list(states().values()) == [READY]
    for _ in range(5):
        make(api, factories.document(owner, sections={"aims": factories.long_text(1)}))
    with CaptureQueriesContext(connection) as more_queries:
        assert list(states().values()) == [READY] * 6
    assert len(more_queries.captured_queries) == len(queries.captured_queries) <= 12


def marked(client, *documents):
    return client.get("/documents/zip/", {"document": [document.pk for document in documents]})


@rendering
def test_a_zip_has_the_ready_pdfs_of_marked_documents_that_a_person_may_read(
    client, api, owner, plan, stranger
):
    make(api, plan)
    other, foreign = factories.document(owner, year=2020), factories.document(stranger)
    client.force_login(owner)
    answer = marked(client, plan, other, foreign)
    assert answer["Content-Type"] == "application/zip"
    with ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:
        assert archive.testzip() is None
        name = f"{plan.year}/{plan.filename}"
        assert archive.namelist() == [name, "MISSING.txt"]
        sent = api.get(f"/api/v1/documents/{plan.pk}/pdf/")
        assert archive.read(name) == b"".join(sent.streaming_content)
        said = archive.read("MISSING.txt").decode()
    assert said == f"2020/{other.filename}: {pdf_zip.NOT_READY}\n"


@rendering
def test_a_file_that_is_gone_is_named_and_the_others_are_sent(client, api, owner, plan):
    other = factories.document(owner)
    for document in (plan, other):
        make(api, document)
    storage.delete(Task.objects.get(document=plan).file)
    client.force_login(owner)
    with ZipFile(io.BytesIO(b"".join(marked(client, plan, other).streaming_content))) as archive:
        assert archive.testzip() is None
        assert pdf_zip.FILE_GONE in archive.read("MISSING.txt").decode()
        assert len(archive.namelist()) == 2


@pytest.mark.parametrize("named", [[], ["x", "-1", "٣", "9" * 400], ["999999"]])
def test_without_a_ready_pdf_there_is_a_sentence_and_no_zip(client, owner, named):
    client.force_login(owner)
    answer = client.get("/documents/zip/", {"document": named}, follow=True)
    assert "Generate them first" in answer.content.decode()
