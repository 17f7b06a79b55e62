"""Measurements as images: the answer, the task and the page say how their values are printed."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from documents.models import Cluster
from tests import factories
from tests.asking import send
from tests.unit.test_samples import FLOAT, ramp, tiff
from tests.working import run_entries

pytestmark = pytest.mark.django_db(transaction=True)
NOTE = "Its values from -1 to 1 are printed from black to white."


def ndvi():
    return SimpleUploadedFile("ndvi.tif", tiff(ramp(-1.0, 1.0), FLOAT, 32))


def test_the_answer_says_how_values_are_printed_whenever_they_are_sent(api, client, owner, plan):
    other = factories.document(project=plan.project, kind="student_report")
    answers = [send(api, document, ndvi()) for document in (plan, plan, other)]
    assert [(answer.status_code, answer.data["note"]) for answer in answers] == [
        (201, NOTE),
        (200, NOTE),
        (201, NOTE),
    ]
    client.force_login(owner)
    assert NOTE in client.get(f"/documents/{plan.pk}/").content.decode()


def test_a_task_says_it_too(api, plan):
    Cluster.objects.create(name="host:1:a", workers=1)
    sent = send(api, plan, ndvi(), headers={"Prefer": "respond-async"})
    assert (sent.status_code, sent.data["note"]) == (202, "")
    run_entries()
    task = api.get(f"/api/v1/tasks/{sent.data['task']['task_id']}/").data
    assert (task["result"]["note"], task["message"]) == (NOTE, f"The image is ready. {NOTE}")
    [image] = api.get(f"/api/v1/documents/{plan.pk}/images/").data
    assert (image["state"], image["note"]) == ("ready", NOTE)


def test_an_ordinary_picture_has_no_note(api, plan):
    assert send(api, plan, factories.image_file()).data["note"] == ""


def test_what_cannot_be_read_is_refused_with_what_to_send(api, plan):
    content = tiff(ramp(0.0, 1.0), FLOAT, 16)
    answer = send(api, plan, SimpleUploadedFile("half.tif", content))
    assert answer.status_code == 400
    assert "floating-point numbers of 16 bits" in answer.json()["detail"]
    assert "Export it as an 8-bit or 16-bit TIFF or PNG" in answer.json()["detail"]
