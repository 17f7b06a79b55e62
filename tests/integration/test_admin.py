"""Django's admin shows everything, and keeps the rules of the API."""

import pytest
from django.utils import timezone

from documents.models import Document, PeriodicTask, Task
from documents.operations import periodic
from metrics.models import Evaluation, Feedback, ModeChange, ModeState
from tests import factories

MODELS = ("periodictask", "project", "document", "documentimage", "businessarea", "task", "cycle", "letter")


@pytest.fixture
def admin(client, maintainer):
    client.force_login(maintainer)
    return client


@pytest.mark.parametrize("model", MODELS)
def test_every_list_can_be_opened_and_searched(admin, plan, model):
    factories.image(plan)
    Task.objects.create(kind="pdf", document=plan, fingerprint="f")
    factories.letter(factories.cycle(), factories.user())
    address = f"/admin/documents/{model}/"
    assert admin.get(address).status_code == 200
    if model in {"project", "document", "task", "letter"}:
        assert admin.get(address, {"q": "a"}).status_code == 200


@pytest.mark.parametrize("model", ["modechange", "modestate", "evaluation", "feedback"])
def test_what_was_measured_can_be_seen_and_not_changed(admin, maintainer, model):
    change = ModeChange.objects.create(
        before="inline", after="queue", setting="auto", actor="evaluator", reason="x"
    )
    Evaluation.objects.create(mode="inline")
    ModeState.objects.create()
    Feedback.objects.create(user=maintainer, kind="praise")
    assert admin.get(f"/admin/metrics/{model}/").status_code == 200
    assert admin.get(f"/admin/metrics/{model}/add/").status_code == 403
    assert admin.post(f"/admin/metrics/modechange/{change.pk}/delete/").status_code == 403


def test_every_row_can_be_opened(admin, plan):
    task = Task.objects.create(kind="pdf", document=plan, fingerprint="f")
    rows = {"project": plan.project_id, "document": plan.pk, "documentimage": factories.image(plan).pk}
    rows |= {"businessarea": plan.project.business_area_id, "task": task.pk}
    for model, key in rows.items():
        assert admin.get(f"/admin/documents/{model}/{key}/change/").status_code == 200, model


def change(admin, plan, sections):
    values = {"project": plan.project_id, "kind": plan.kind, "year": plan.year, "status": "revising"}
    return admin.post(f"/admin/documents/document/{plan.pk}/change/", {**values, "sections": sections})


def test_texts_are_sanitised_here_too_and_the_version_counts(admin, plan):
    assert change(admin, plan, '{"aims": "<p onclick=x()>New.</p><script>x</script>"}').status_code == 302
    plan.refresh_from_db()
    assert (plan.sections, plan.version) == ({"aims": "<p>New.</p>"}, 2)


def test_a_text_that_the_kind_does_not_have_is_refused_here_too(admin, plan):
    answer = change(admin, plan, '{"progress": "<p>x</p>"}')
    assert answer.status_code == 200
    assert "is no section of a concept plan" in answer.content.decode()
    assert Document.objects.get(pk=plan.pk).version == 1


def test_people_who_are_not_staff_stay_outside(client, owner):
    client.force_login(owner)
    assert client.get("/admin/documents/document/").status_code == 302


def test_a_new_expression_sets_the_next_run_and_a_bad_one_is_refused(admin):
    periodic.ensure_schedules()
    schedule = PeriodicTask.objects.get(kind="cleanup")
    assert schedule.next_run_at is not None
    shown = timezone.localtime(schedule.next_run_at)
    values = {"next_run_at_0": f"{shown:%Y-%m-%d}", "next_run_at_1": f"{shown:%H:%M:%S}"}
    address = f"/admin/documents/periodictask/{schedule.pk}/change/"
    refused = admin.post(address, {"cron": "* * * * *", **values})
    assert "at most every ten minutes" in refused.content.decode()
    assert admin.post(address, {"cron": "15 4 * * *", **values}).status_code == 302
    schedule.refresh_from_db()
    assert f"{timezone.localtime(schedule.next_run_at):%H:%M}" == "04:15"
