"""The page of a document: its first page as a picture, what changed, and warnings that lead to their place."""

import html
import io
import re
from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image

from documents.infrastructure import storage
from documents.models import Task
from documents.queue.registry import TaskContext
from documents.tasks import maintenance
from documents.tasks.images import guard

pytestmark = pytest.mark.django_db(transaction=True)
LINK = re.compile(r'<li>([^<]*) <a href="([^"]+)">Show me')


@pytest.fixture
def pdf(api, plan, client, owner):
    """The task of a real PDF; its reader is signed in."""
    assert api.post(f"/api/v1/documents/{plan.pk}/pdf/").status_code == 201
    client.force_login(owner)
    return Task.objects.get()


def clean_up():
    maintenance.clean_up(TaskContext(task=Task(), deadline=0, report=lambda *_: None))


def warn(*warnings):
    task = Task.objects.get()
    Task.objects.filter(pk=task.pk).update(result={**(task.result or {}), "warnings": [*warnings]})


def address(pdf):
    return f"/documents/{pdf.document_id}/first-page/{pdf.pk}/"


def page(client, document):
    return client.get(f"/documents/{document.pk}/").content.decode()


def test_the_picture_is_drawn_once_and_kept_as_long_as_the_pdf(client, pdf, monkeypatch):
    assert address(pdf) in page(client, pdf.document)
    sent = client.get(address(pdf))
    with Image.open(io.BytesIO(sent.content)) as picture:
        assert (picture.format, picture.width) == ("WEBP", 440)
        assert 610 < picture.height < 630
        assert len(set(picture.convert("L").tobytes())) > 20
    assert len(sent.content) < 60_000
    monkeypatch.setattr(guard, "draw_first_page", None)
    assert client.get(address(pdf)).content == sent.content
    again = client.get(address(pdf), headers={"If-None-Match": sent["ETag"]})
    assert (again.status_code, again.content, again["Cache-Control"]) == (304, b"", "private, no-cache")
    pdf.refresh_from_db()
    monkeypatch.setattr(maintenance, "UNFINISHED", timedelta(0))
    clean_up()
    assert storage.exists(pdf.picture)
    pdf.delete()
    clean_up()
    assert not storage.exists(pdf.picture)


def test_a_lost_picture_is_drawn_again_and_a_lost_pdf_has_none(client, pdf):
    sent = client.get(address(pdf))
    pdf.refresh_from_db()
    storage.delete(pdf.picture)
    assert client.get(address(pdf)).content == sent.content
    Task.objects.update(picture="")
    storage.delete(pdf.file)
    assert client.get(address(pdf)).status_code == 404


def test_a_file_that_is_no_pdf_has_no_picture_and_the_next_one_has(client, pdf):
    path = Path(storage.results().path(pdf.file))
    content = path.read_bytes()
    path.write_bytes(b"%PDF-1.7 no more")
    assert client.get(address(pdf)).status_code == 404
    path.write_bytes(content)
    assert client.get(address(pdf)).status_code == 200


def test_the_picture_is_for_readers_of_the_document(client, pdf, stranger):
    client.force_login(stranger)
    assert client.get(address(pdf)).status_code == 404


def test_the_page_names_what_was_changed_since_the_pdf(client, pdf, plan):
    assert "Changed since" not in page(client, plan)
    changes = {"sections": {"outcome": "<p>New.</p>", "aims": "<p>New.</p>"}, "status": "in_review"}
    plan.refresh_from_db()
    plan.apply_changes(changes, by="owner")
    listed = page(client, plan).partition('<ul class="changed">')[2].partition("</ul>")[0]
    assert re.findall(r"<li>(.*?)</li>", listed) == ["Aims", "Expected outcome", "status"]
    assert Task.objects.count() == 1


def test_a_change_outside_the_document_is_named_as_such(client, pdf, plan):
    plan.project.apply_changes({"title": "Another title"}, by="owner")
    assert "Its own text is the same" in page(client, plan)


STORED = [
    pytest.param("Text in “Aims” runs off the page (“wide table”).", id="earlier"),
    pytest.param(
        {
            "section": "Aims",
            "rule": "text-off-page",
            "text": "Text in “Aims” runs off the page (“wide table”).",
        },
        id="now",
    ),
    pytest.param(
        {"section": "Of the north", "rule": "text-off-page", "text": "In “Of the north”: “wide table”."},
        id="heading",
    ),
]


@pytest.mark.parametrize("stored", STORED)
def test_a_warning_leads_to_its_place(client, api, plan, owner, stored):
    plan.apply_changes(
        {"sections": {"aims": "<h2>Of the <b>north</b></h2><p>A wide table here</p>"}}, by="owner"
    )
    api.post(f"/api/v1/documents/{plan.pk}/pdf/")
    warn(stored)
    client.force_login(owner)
    [(said, link)] = LINK.findall(page(client, plan))
    assert "wide table" in said
    path, _, anchor = html.unescape(link).partition("#")
    text = client.get(path).content.decode()
    assert f'id="{anchor}">wide table</mark>' in text


def test_a_warning_about_no_section_has_no_link(client, pdf, plan):
    warnings = ["It waits for an image.", {"section": "", "rule": "image-missing", "text": "One image"}]
    warn(*warnings)
    shown = page(client, plan)
    assert "It waits for an image." in shown
    assert "Show me" not in shown


def test_an_image_that_is_missing_from_the_text_is_shown(client, plan, owner):
    client.force_login(owner)
    plan.apply_changes({"sections": {"aims": '<p><img alt="A map" title="map.png"></p>'}}, by="owner")
    [(_, link)] = LINK.findall(page(client, plan))
    shown = client.get(html.unescape(link).partition("#")[0]).content.decode()
    assert 'id="place">Here:</mark> <img alt="A map" title="map.png">' in shown
    plan.refresh_from_db()
    plan.apply_changes({"sections": {"aims": "<p>Nothing</p>"}}, by="owner")
    assert "The place was not found" in client.get(html.unescape(link).partition("#")[0]).content.decode()


def test_there_is_no_text_of_a_section_that_its_kind_has_not(client, pdf, plan):
    assert client.get(f"/documents/{plan.pk}/text/aims/").status_code == 200
    assert client.get(f"/documents/{plan.pk}/text/methodology/").status_code == 404
