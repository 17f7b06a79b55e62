"""The sample data load once, and every sample document renders."""

import pytest

from documents.models import document_types
from tests.acceptance.pdf_checkers import problems_of_pdf

pytestmark = pytest.mark.xdist_group("queue")
PEOPLE = ("author", "member", "stranger", "maintainer")


@pytest.fixture(scope="module")
def system(queue_system):
    return queue_system


def test_every_sample_document_renders_without_a_warning(system):
    documents = system.documents()
    assert {document["kind"] for document in documents} == set(document_types.DOCUMENT_TYPES)
    task_ids = [system.make(document).json()["task_id"] for document in documents]
    for document, task_id in zip(documents, task_ids, strict=True):
        task = system.ended(task_id)
        assert (task["status"], task["error"]) == ("succeeded", None), document
        assert task["result"]["warnings"] == [], document


def test_every_sample_document_passes_the_checkers(system, tmp_path):
    for document in system.documents():
        answer = system.call("POST", f"documents/{document['id']}/pdf/")
        system.ended(answer.json()["task_id"])
        content = system.call("GET", f"documents/{document['id']}/pdf/").content
        assert problems_of_pdf(content, tmp_path) == [], document["title"]


def test_loading_them_again_changes_nothing_and_says_how_to_sign_in(system):
    before = system.documents()
    printed = system.manage("load_sample_data").stdout
    assert "nothing changed" in printed
    assert system.documents() == before
    assert system.call("GET", "projects/").json()["count"] >= 12
    for words in ("Authorization: Token ", "curl ", *(f"sample-{name}-1" for name in PEOPLE)):
        assert words in printed
