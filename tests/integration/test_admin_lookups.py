"""No query of a list in Django's admin is an error of ours, whatever lookup it names and whatever value it holds."""

import pytest
from django.contrib import admin
from django.db.models import Transform
from django.urls import reverse

from documents.models import Task
from metrics.models import ModeChange

pytestmark = pytest.mark.django_db
MODE_CHANGES = "/admin/metrics/modechange/"


def paths_of(field):
    """Yield each lookup of a field as the admin's addresses name it, and two of each of its transforms."""
    for name, lookup in field.get_lookups().items():
        yield f"{field.name}__{name}"
        if issubclass(lookup, Transform):
            yield from (f"{field.name}__{name}__{inner}" for inner in ("gt", "in"))


def lookups():
    """Return every lookup of each class of field that a task has: all that the lists of the admin have."""
    fields = {field.get_internal_type(): field for field in Task._meta.concrete_fields}
    return [path for field in fields.values() for path in paths_of(field)]


@pytest.fixture
def staff_client(client, maintainer):
    client.force_login(maintainer)
    client.raise_request_exception = False
    return client


@pytest.mark.parametrize("value", ["9" * 4_301, "99999", "("], ids=["long", "far", "no pattern"])
def test_no_value_of_a_lookup_is_an_error_of_ours(staff_client, plan, value):
    Task.objects.create(kind="pdf", document=plan, fingerprint="f")
    address = reverse("admin:documents_task_changelist")
    paths = lookups()
    assert any(path.endswith("__year__gt") for path in paths)
    assert [path for path in paths if staff_client.get(address, {path: value}).status_code >= 500] == []


@pytest.mark.parametrize(
    "query", ["at__year=99999", "at__year__lt=99999", "at__date__gt=x", f"id={'9' * 4301}"]
)
def test_what_cannot_be_computed_leads_back_to_the_list(staff_client, query):
    answer = staff_client.get(f"{MODE_CHANGES}?{query}", follow=True)
    assert (answer.status_code, answer.redirect_chain) == (200, [(f"{MODE_CHANGES}?e=1", 302)])


def test_a_fault_that_is_not_the_querys_is_reported(staff_client, monkeypatch):
    monkeypatch.setattr(ModeChange, "__str__", lambda _: 1 / 0)
    monkeypatch.setattr(admin.site.get_model_admin(ModeChange), "list_display", ("__str__",))
    ModeChange.objects.create(
        before="inline", after="queue", setting="auto", actor="evaluator", reason="load"
    )
    assert staff_client.get(MODE_CHANGES).status_code == 500
    assert staff_client.get(f"{MODE_CHANGES}?after=queue", follow=True).status_code == 500
