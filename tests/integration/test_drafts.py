"""The HTML of PDFs is written for one document after the other, and what a document waited for that is known."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from documents.rendering import html
from documents.tasks.pdf import drafts
from tests import factories
from tests.waiting import wait_for


@pytest.mark.django_db(transaction=True)
def test_documents_are_written_one_after_the_other(owner, tmp_path, monkeypatch):
    plans = [factories.document(project=factories.project(owner, tag=f"SP-{number}")) for number in range(3)]
    may_end, writing, most = threading.Event(), [], []
    write_document = html.write_document

    def write_slowly(stream, **values):
        writing.append(threading.current_thread())
        most.append(len(writing))
        assert may_end.wait(60)
        write_document(stream, **values)
        writing.pop()

    def write(plan):
        try:
            return drafts.write_html(plan, tmp_path / f"{plan.pk}.html")
        finally:
            connection.close()

    monkeypatch.setattr(html, "write_document", write_slowly)
    with ThreadPoolExecutor(3) as threads:
        asked = [threads.submit(write, plan) for plan in plans]
        wait_for(lambda: writing)
        may_end.wait(0.2)  # time for the others to begin if they could
        may_end.set()
        written = [future.result() for future in asked]
    assert most == [1, 1, 1]
    assert sorted(draft.waited_seconds >= 0.2 for draft in written) == [False, True, True]
