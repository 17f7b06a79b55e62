"""The page of exports: one's own, what became of them, and the forms that begin them."""

import pytest
from django.test import Client

from documents.models import BusinessArea, Task
from documents.tasks.exports import spec, task as export_task

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"


def page_of(user):
    client = Client()
    client.force_login(user)
    return client.get("/exports/").content.decode()


def exported(user, status="succeeded", filters=None, **values):
    chosen = spec.parse(what="documents", format="csv", filters=filters or {})
    usual = {
        "kind": export_task.KIND,
        "arguments": chosen.as_arguments(),
        "requested_by": user,
        "fingerprint": status,
    }
    return Task.objects.create(**usual, status=status, **values)


def test_everybody_sees_their_own_exports_with_size_and_rows(owner, stranger):
    facts = {"rows": 12, "bytes": 2048, "warnings": [{"section": "", "rule": "x", "text": HOSTILE}]}
    task = exported(owner, file="x.csv", result=facts, filters={"kind": "progress_report", "year": "2026"})
    page = page_of(owner)
    assert f'href="/api/v1/tasks/{task.pk}/file/"' in page
    for text in ("Documents as CSV", "Progress Report, 2026", "12 rows", "2.0\xa0KB"):
        assert text in page
    assert HOSTILE not in page
    assert str(task.pk) not in page_of(stranger)


def test_what_failed_says_why_and_what_runs_is_followed(owner):
    exported(owner, "failed", error={"title": "Too large", "detail": HOSTILE, "status": 422, "type": "x"})
    running = exported(owner, "running")
    page = page_of(owner)
    assert "Too large. &lt;script&gt;" in page
    assert f'data-task="/api/v1/tasks/{running.pk}/"' in page


def test_a_filter_that_names_what_is_gone_is_shown_as_it_was(owner):
    area = BusinessArea.objects.create(name="Seas")
    shown = f'<span class="what">area {area.pk}</span>'
    exported(owner, filters={"business_area": str(area.pk)})
    assert '<span class="what">Seas</span>' in page_of(owner)
    area.delete()
    assert shown in page_of(owner)


def test_who_has_no_address_is_not_offered_a_mail(owner):
    assert "Mail me" in page_of(owner)
    owner.email = ""
    owner.save(update_fields=["email"])
    assert "Mail me" not in page_of(owner)


def test_staff_read_the_title_of_each_kind_of_task(owner, maintainer):
    task = exported(owner, file="x.csv", result={"rows": 1, "bytes": 5, "seconds": 1.0, "warnings": []})
    client = Client()
    client.force_login(maintainer)
    page = client.get(f"/dashboard/tasks/{task.pk}/").content.decode()
    assert '<p class="sentence">Export</p>' in page
    assert f'href="/api/v1/tasks/{task.pk}/file/" download>Download' in page
    assert ">Export</a>" in client.get("/dashboard/tasks/").content.decode()
