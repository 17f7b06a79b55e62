"""A large image is prepared by a task, away from its request, and a PDF that shows it waits for it."""

import io
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from PIL import Image

from documents.infrastructure import storage
from documents.models import Cluster, DocumentImage, Subscription, Task
from documents.queue import hints, leases, lifecycle
from documents.tasks import maintenance
from documents.tasks.images import attachments, guard, processing, task as image_task
from documents.tasks.pdf import drafts, pending_images
from tests import factories
from tests.asking import send, status_of
from tests.working import run_entries

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("_small_is_large", "_workers"),
]
ASYNC = {"Prefer": "respond-async"}


@pytest.fixture
def _workers(settings):
    settings.SPMS_MODE = "auto"
    Cluster.objects.create(name="host:1:a", workers=1)
    for name in sources():
        storage.delete(name)


@pytest.fixture
def _small_is_large(monkeypatch):
    """Bounds are those of the process that opens images, so they are set in a copy of what it does."""

    def is_large(upload):
        with monkeypatch.context() as patch:
            patch.setattr(processing, "LARGE_PIXELS", 100_000)
            return processing.is_large(upload)

    monkeypatch.setattr(guard, "is_large", is_large)


def picture(colour="red", size=(400, 300)):
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, "PNG")
    return SimpleUploadedFile("picture.png", stream.getvalue())


def work():
    run_entries()
    hints.recover()


def sources():
    return [name for name in storage.iter_names(storage.results()) if name.endswith(".upload")]


def test_its_address_is_there_at_once_and_its_file_when_the_task_is_done(api, plan):
    answer = send(api, plan, picture(), caption="A bay", alternative="Low tide")
    assert answer.status_code == 202
    assert answer["Location"] == f"/api/v1/tasks/{answer.data['task']['task_id']}/"
    assert int(answer["Retry-After"]) >= 1
    assert (answer.data["state"], answer.data["width"], answer.data["caption"]) == ("waiting", 0, "A bay")
    assert (answer.data["task"]["kind"], answer.data["task"]["mode"]) == ("image", "queue")
    url = answer.data["url"]
    for address in (url, answer.data["thumbnail"]):
        early = api.get(address)
        assert (early.status_code, early.json()["type"]) == (409, "urn:spms:problem:image-not-ready")
        assert early["Retry-After"] == "2"
    work()
    task = api.get(answer["Location"]).data
    assert (task["status"], task["message"], task["result"]["url"]) == (
        "succeeded",
        "The image is ready.",
        url,
    )
    [image] = api.get(f"/api/v1/documents/{plan.pk}/images/").data
    assert (image["state"], image["width"], image["height"]) == ("ready", 400, 300)
    assert (image["caption"], image["alternative"]) == ("A bay", "Low tide")
    for address, size in ((url, (400, 300)), (image["thumbnail"], (320, 240))):
        assert Image.open(io.BytesIO(b"".join(api.get(address).streaming_content))).size == size
    assert sources() == []


def test_a_small_one_is_queued_when_its_sender_says_so(api, plan):
    assert send(api, plan, picture(size=(40, 30))).status_code == 201
    answer = send(api, plan, picture("blue", size=(40, 30)), ASYNC)
    assert (answer.status_code, answer["Preference-Applied"]) == (202, "respond-async")


def test_without_workers_a_large_one_is_prepared_in_the_request(api, plan):
    Cluster.objects.all().delete()
    answer = send(api, plan, picture())
    assert (answer.status_code, answer["Location"], answer.data["state"]) == (
        201,
        answer.data["url"],
        "ready",
    )
    assert "task" not in answer.data
    assert Task.objects.get().mode == "inline"


@pytest.mark.parametrize("mode", ["inline", "queue"])
def test_what_the_operator_chose_is_followed(api, plan, settings, mode):
    settings.SPMS_MODE = mode
    assert send(api, plan, picture()).status_code == {"inline": 201, "queue": 202}[mode]


def test_a_bad_one_fails_with_the_words_that_a_small_one_gets(api, plan):
    bad = factories.image_file().read()[:9000]
    answer = send(api, plan, SimpleUploadedFile("a.png", bad))
    assert answer.status_code == 202
    work()
    task = api.get(answer["Location"]).data
    assert (task["status"], task["error"]["status"]) == ("failed", 400)
    assert task["error"]["type"] == "urn:spms:problem:image-unusable"
    assert "cut off or damaged" in task["error"]["detail"]
    [image] = api.get(f"/api/v1/documents/{plan.pk}/images/").data
    assert image["state"] == "failed"
    gone = api.get(image["url"])
    assert gone.status_code == 404
    assert "could not be prepared" in gone.json()["detail"]


def test_a_bad_large_one_is_refused_by_the_request_that_prepares_it(api, plan):
    Cluster.objects.all().delete()
    answer = send(api, plan, SimpleUploadedFile("a.png", factories.image_file().read()[:9000]))
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:spms:problem:image-unusable")


def test_the_same_file_sent_again_joins_its_task(api, plan):
    first, second = send(api, plan, picture()), send(api, plan, picture())
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.data["id"] == second.data["id"]
    assert first["Location"] == second["Location"]
    assert (DocumentImage.objects.count(), len(sources())) == (1, 1)


def test_one_that_was_cancelled_can_be_sent_or_tried_again(api, plan):
    answer = send(api, plan, picture())
    assert api.post(f"{answer['Location']}cancel/").data["status"] == "cancelled"
    work()
    assert status_of(api, answer.data["url"]) == 404
    again = send(api, plan, picture())
    assert (again.status_code, again.data["id"]) == (202, answer.data["id"])
    assert api.post(f"{again['Location']}cancel/").status_code == 200
    assert api.post(f"{again['Location']}retry/", headers=ASYNC).status_code == 202
    assert status_of(api, answer.data["url"]) == 409
    work()
    assert status_of(api, answer.data["url"]) == 200


def test_what_was_cancelled_while_it_ran_names_no_file(api, plan, monkeypatch):
    answer = send(api, plan, picture())
    plain = guard.prepare

    def cancelled_meanwhile(upload, **limits):
        lifecycle.cancel(answer.data["task"]["task_id"], by="owner")
        return plain(upload, **limits)

    monkeypatch.setattr(guard, "prepare", cancelled_meanwhile)
    work()
    image = DocumentImage.objects.get()
    assert (image.state, str(image.file)) == ("failed", "")


def test_an_attempt_after_one_that_died_before_its_end_finds_the_image_ready(api, plan):
    send(api, plan, picture())
    task = Task.objects.get()
    assert leases.claim(task.pk, "w")
    DocumentImage.objects.update(**attachments.store_files(processing.prepare(picture())))
    Task.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    work()
    work()
    task.refresh_from_db()
    assert (task.status, task.attempts) == ("succeeded", 2)
    assert sources() == []


def test_who_asked_is_told(api, plan, owner):
    answer = send(api, plan, picture(), notify="true")
    assert Subscription.objects.get().target == owner.email
    assert answer.status_code == 202
    refused = send(api, plan, picture("blue"), webhook="http://elsewhere.example/")
    assert refused.status_code == 400


def test_a_queue_that_is_full_refuses_it_and_keeps_nothing(api, plan, settings):
    settings.SPMS_QUEUE_LIMIT_PER_USER = 1
    assert send(api, plan, picture()).status_code == 202
    assert send(api, plan, picture("blue")).status_code == 429
    assert (DocumentImage.objects.count(), len(sources())) == (1, 1)


def test_strangers_see_nothing_of_it(api, plan, stranger, client_of):
    answer = send(api, plan, picture())
    other = client_of(stranger)
    assert other.get(answer.data["url"]).status_code == 404
    assert other.get(answer["Location"]).status_code == 404
    assert other.post(f"{answer['Location']}cancel/").status_code == 404


def shown(document, url):
    document.sections = {"aims": f'<p>x</p><img src="{url}" alt="A bay">'}
    document.save(update_fields=["sections"])


def begin_pdf(api, plan):
    answer = api.post(f"/api/v1/documents/{plan.pk}/pdf/", headers=ASYNC)
    assert answer.status_code == 202
    return Task.objects.get(pk=answer.data["task_id"])


@pytest.mark.parametrize("place", ["section", "cover"])
def test_a_pdf_waits_for_its_image_and_says_so(api, plan, place):
    plan.images.create(width=0, height=0, caption="of nobody")  # failed: it is not waited for
    image = send(api, plan, picture()).data
    if place == "cover":
        assert api.patch(f"/api/v1/documents/{plan.pk}/", {"cover_image": image["id"]}).status_code == 200
    else:
        shown(plan, image["url"])
    waiting = begin_pdf(api, plan)
    lifecycle.run(waiting.pk, deadline=1e9)
    told = api.get(waiting.get_absolute_url()).data
    assert (told["status"], told["attempts"]) == ("queued", 0)
    assert (told["progress"]["phase"], told["message"]) == ("images", "It waits for 1 image.")
    work()
    Task.objects.filter(pk=waiting.pk).update(claimable_at=timezone.now())
    lifecycle.run(waiting.pk, deadline=1e9)
    waiting.refresh_from_db()
    assert (waiting.status, waiting.message, waiting.result["warnings"]) == ("succeeded", "", [])


def test_it_does_not_wait_for_ever_and_is_rendered_again_when_the_image_is_ready(api, plan, monkeypatch):
    monkeypatch.setattr(pending_images, "MAX_WAIT", timedelta())
    shown(plan, send(api, plan, picture()).data["url"])
    early = begin_pdf(api, plan)
    lifecycle.run(early.pk, deadline=1e9)
    early.refresh_from_db()
    [warning] = early.result["warnings"]
    assert warning == {
        "section": "",
        "rule": "image-not-ready",
        "text": "1 image is not ready yet; render again later.",
    }
    assert api.post(f"/api/v1/documents/{plan.pk}/pdf/").status_code == 200
    work()
    answer = api.post(f"/api/v1/documents/{plan.pk}/pdf/")
    assert (answer.status_code, answer.data["result"]["warnings"]) == (201, [])
    assert answer.data["result"]["fingerprint"] != early.fingerprint


def test_an_image_that_the_document_does_not_show_is_not_waited_for(api, plan):
    send(api, plan, picture())
    assert api.post(f"/api/v1/documents/{plan.pk}/pdf/").status_code == 201


def test_a_report_waits_for_the_images_of_its_chapters(maintainer, client_of):
    chapter = factories.document(kind="progress_report", status="approved")
    report = factories.document(kind="annual_report")
    client = client_of(maintainer)
    image = send(client, chapter, picture()).data
    chapter.sections = {"progress": f'<img src="{image["url"]}" alt="">'}
    chapter.save(update_fields=["sections"])
    waiting = begin_pdf(client, report)
    lifecycle.run(waiting.pk, deadline=1e9)
    waiting.refresh_from_db()
    assert waiting.message == "It waits for 1 image."


def test_one_that_failed_is_no_reason_to_wait_and_the_warning_says_what_to_do(api, plan):
    answer = send(api, plan, picture())
    api.post(f"{answer['Location']}cancel/")
    shown(plan, answer.data["url"])
    pdf_answer = api.post(f"/api/v1/documents/{plan.pk}/pdf/")
    assert pdf_answer.status_code == 201
    [warning] = pdf_answer.data["result"]["warnings"]
    assert (warning["rule"], warning["text"]) == (
        "image-missing",
        "1 image(s) could not be shown; upload them to this document.",
    )


def test_what_came_to_nothing_goes_with_its_task(api, plan, settings):
    answer = send(api, plan, picture())
    api.post(f"{answer['Location']}cancel/")
    maintenance.remove_rows()
    assert DocumentImage.objects.exists()
    settings.SPMS_TASK_RETENTION = 0
    maintenance.remove_rows()
    assert not DocumentImage.objects.exists()


def test_a_retry_of_a_task_whose_image_was_sent_again_has_nothing_to_do(api, plan):
    first = send(api, plan, picture())
    api.post(f"{first['Location']}cancel/")
    send(api, plan, picture())
    work()
    api.post(f"{first['Location']}retry/")
    work()
    assert api.get(first["Location"]).data["status"] == "failed"
    assert status_of(api, first.data["url"]) == 200


def test_what_the_pdf_draws_meanwhile_is_a_grey_field(api, plan, tmp_path):
    shown(plan, send(api, plan, picture()).data["url"])
    plan.refresh_from_db()
    draft = drafts.write_html(plan, tmp_path / "draft.html")
    assert [path.rpartition("/")[2] for path in draft.images.values()] == ["not-ready.png"]
    assert image_task.fingerprint(plan, "a") != image_task.fingerprint(plan, "b")
