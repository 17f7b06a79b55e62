"""The same picture is one image of a document, and one file however many documents show it."""

import os
from pathlib import Path

import pytest
from django.core.files.storage import default_storage

from documents import exceptions
from documents.infrastructure import storage
from documents.models import Document, DocumentImage
from documents.tasks import maintenance
from documents.tasks.images import attachments, guard, processing
from tests import factories
from tests.asking import send, status_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty_media():
    for name in files():
        default_storage.delete(name)


def files():
    return sorted(storage.iter_names(default_storage))


def make_old():
    for name in files():
        os.utime(default_storage.path(name), (0, 0))


def clean_up():
    return maintenance.remove_files(default_storage, ((DocumentImage, "file"), (DocumentImage, "thumbnail")))


def test_a_picture_sent_twice_is_one_image_and_takes_the_newer_caption(api, plan):
    picture = factories.image_file()
    first, second = send(api, plan, picture, caption="A bay"), send(api, plan, picture)
    third = send(api, plan, picture, caption="Another bay")
    assert [answer.status_code for answer in (first, second, third)] == [201, 200, 200]
    assert len({answer.data["id"] for answer in (first, second, third)}) == 1
    assert [answer.data["caption"] for answer in (first, second, third)] == ["A bay", "A bay", "Another bay"]
    assert second["Location"] == first.data["url"]


def test_the_same_pixels_in_another_file_are_the_same_image(api, plan):
    picture = factories.image_file()
    other = factories.image_file()
    content = picture.read()
    other.file.seek(0)
    other.file.truncate()
    other.file.write(content + b"a preview behind the picture")
    first, second = send(api, plan, picture), send(api, plan, other)
    assert (second.status_code, second.data["id"]) == (200, first.data["id"])


def test_in_another_document_it_is_another_image_of_the_same_file(api, plan, owner, monkeypatch):
    picture, other = factories.image_file(), factories.document(owner)
    first = send(api, plan, picture)
    monkeypatch.setattr(guard, "prepare", lambda _: pytest.fail("it was prepared again"))
    second = send(api, other, picture)
    assert (second.status_code, second.data["id"] == first.data["id"]) == (201, False)
    assert len({str(image.file) for image in DocumentImage.objects.all()}) == 1
    assert len(files()) == 2  # the image and its thumbnail


def test_what_others_have_sent_is_neither_seen_nor_used(api, plan, owner, stranger, client_of):
    picture, strange = factories.image_file(), factories.document(stranger)
    theirs = send(client_of(stranger), strange, picture)
    assert (
        attachments.reuse_prepared(attachments.digest_of(picture), Document.objects.for_user(owner)) is None
    )
    own = send(api, plan, picture)
    assert own.status_code == 201
    assert status_of(api, theirs.data["url"]) == 404
    assert status_of(api, f"{theirs.data['url']}?size=thumbnail") == 404
    assert status_of(api, own.data["url"]) == 200


def test_a_file_stays_as_long_as_one_row_names_it(api, plan, owner):
    picture, other = factories.image_file(), factories.document(owner)
    send(api, plan, picture)
    send(api, other, picture)
    make_old()
    plan.delete()
    assert clean_up() == 0
    other.delete()
    assert clean_up() == 2
    assert files() == []


def test_an_upload_makes_a_file_young_that_no_row_names(api, plan, owner):
    picture = factories.image_file()
    send(api, plan, picture)
    make_old()
    DocumentImage.objects.all().delete()
    again = attachments.store_files(processing.prepare(picture))
    assert clean_up() == 0
    assert default_storage.exists(again["file"])


def test_a_file_that_the_removal_takes_in_the_last_moment_is_written_again(plan, monkeypatch):
    plain = attachments.store_files

    def keep(prepared):
        values = plain(prepared)
        monkeypatch.setattr(attachments, "store_files", plain)
        for name in files():  # as the removal does between its questions and the row
            default_storage.delete(name)
        return values

    monkeypatch.setattr(attachments, "store_files", keep)
    image = attachments.attach(plan, factories.image_file())
    assert default_storage.exists(str(image.file))
    assert default_storage.exists(image.thumbnail)


def test_an_image_whose_file_is_gone_is_prepared_again_elsewhere(api, plan, owner):
    picture = factories.image_file()
    send(api, plan, picture)
    for name in files():
        default_storage.delete(name)
    assert send(api, factories.document(owner), picture).status_code == 201
    assert len(files()) == 2


def test_an_image_from_before_thumbnails_is_its_own(api, plan):
    image = factories.image(plan)
    DocumentImage.objects.update(thumbnail="")
    answer = api.get(f"{image.url}?size=thumbnail")
    assert b"".join(answer.streaming_content) == Path(image.file.path).read_bytes()


def test_a_size_that_there_is_not_is_a_problem(api, plan):
    answer = api.get(f"{factories.image(plan).url}?size=huge")
    assert (answer.status_code, answer.json()["type"].startswith("urn:spms:problem:")) == (400, True)


def test_a_document_that_is_deleted_meanwhile_keeps_no_image(plan):
    gone = Document.objects.get(pk=plan.pk)
    plan.delete()
    with pytest.raises(exceptions.DocumentDeleted):
        attachments.attach(gone, factories.image_file())
    assert not DocumentImage.objects.exists()


def test_the_page_shows_what_the_document_has(client, plan, owner, stranger):
    image = attachments.attach(plan, factories.image_file(), caption="A <b>bay</b>")
    client.force_login(owner)
    for path in (f"/documents/{plan.pk}/", f"/documents/{plan.pk}/images/"):
        page = client.get(path).content.decode()
        assert image.thumbnail_url in page
        assert "A &lt;b&gt;bay&lt;/b&gt;" in page
    client.force_login(stranger)
    assert client.get(f"/documents/{plan.pk}/images/").status_code == 404
