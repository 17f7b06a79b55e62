"""The pages of cycles do what the API does."""

import pytest
from django.utils import timezone

from documents.models import Cycle
from documents.tasks.cycles import letter_template
from tests import factories
from tests.working import letter_states

pytestmark = pytest.mark.django_db(transaction=True)

FORM = {"year": "2026", "due": "2026-07-31", "subject": letter_template.SUBJECT, "text": letter_template.TEXT}


@pytest.fixture
def pages(client, maintainer):
    client.force_login(maintainer)
    return client


def test_a_preview_makes_nothing_and_opening_does(pages, projects):
    page = pages.post("/dashboard/cycles/open/", FORM | {"action": "preview"})
    assert b"2 reports would be made and 2 letters sent" in page.content
    assert not Cycle.objects.exists()
    page = pages.post("/dashboard/cycles/open/", FORM | {"action": "open"}, follow=True)
    assert b"2 of 2 letters sent" in page.content
    again = pages.post("/dashboard/cycles/open/", FORM | {"action": "open"})
    assert (again.status_code, b"This cycle was opened before" in again.content) == (400, True)


@pytest.mark.parametrize("field", ["year", "due", "subject", "text"])
def test_what_is_wrong_is_said_at_its_field(pages, field):
    page = pages.post("/dashboard/cycles/open/", FORM | {field: "{x}", "action": "open"})
    assert (page.status_code, b'class="alarm"' in page.content) == (400, True)
    assert not Cycle.objects.exists()


def test_letters_are_looked_after(pages, owner, member, inbox):
    cycle = factories.cycle(prepared_at=timezone.now())
    failed = factories.letter(cycle, owner, state="failed", error="550 <b>no</b>")
    sent = factories.letter(cycle, member, state="sent")
    page = pages.get(f"/dashboard/cycles/{cycle.pk}/")
    assert b"550 &lt;b&gt;no&lt;/b&gt;" in page.content
    act = f"/dashboard/cycles/{cycle.pk}/act/"
    page = pages.post(act, {"action": "again", "state": "failed", "letter": failed.pk}, follow=True)
    assert b"1 letter is sent again" in page.content
    assert inbox.addresses == [owner.email]
    bounce = {"action": "bounce", "address": sent.address.upper(), "reason": "full"}
    assert b"The bounce was recorded" in pages.post(act, bounce, follow=True).content
    assert letter_states() == {"owner": "sent", "member": "failed"}


@pytest.mark.parametrize(
    "form",
    [
        {"action": "dance"},
        {"action": "stop"},
        {"action": "resume"},
        {"action": "again", "state": "sent"},
        {"action": "bounce", "address": "nobody@example.org", "reason": "x"},
        {"action": "bounce", "address": "nobody@example.org"},
    ],
)
def test_what_cannot_be_done_is_said(pages, form):
    cycle = factories.cycle(prepared_at=timezone.now())
    page = pages.post(f"/dashboard/cycles/{cycle.pk}/act/", form, follow=True)
    assert b'class="notice error"' in page.content


def test_it_is_stopped_and_resumed(pages, queued, projects):
    pages.post("/dashboard/cycles/open/", FORM | {"action": "open"})
    act = f"/dashboard/cycles/{Cycle.objects.get().pk}/act/"
    assert b"The cycle was stopped" in pages.post(act, {"action": "stop"}, follow=True).content
    assert b"The cycle was resumed" in pages.post(act, {"action": "resume"}, follow=True).content
