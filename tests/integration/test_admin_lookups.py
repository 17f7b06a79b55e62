"""No query of a list in Django's admin is an error of ours, whatever lookup it names and whatever value it holds."""

from urllib.parse import quote

import pytest
from django.contrib import admin
from django.db.models import Transform
from django.urls import reverse

pytestmark = pytest.mark.django_db
VALUES = ("9" * 4_301, "9" * 25, "99999", "-1", "0", "٣", "(", "x", "", "9999-12-31T23:59:59Z", "true")


def paths_of(field):
    """Yield each lookup of a field as the admin's addresses name it, those of its transforms included."""
    for name, lookup in field.get_lookups().items():
        yield f"{field.name}__{name}"
        if issubclass(lookup, Transform):
            yield from (
                f"{field.name}__{name}__{inner}" for inner in ("gt", "in", "lte", "contains", "range")
            )


def lookups():
    """Return one address for each lookup of each class of field that a list of the admin may be asked for."""
    addresses: dict[tuple[type, str], str] = {}
    for model in admin.site._registry:
        list_address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for field in model._meta.concrete_fields:
            for path in paths_of(field):
                key = type(field), path.removeprefix(field.name)
                addresses.setdefault(key, f"{list_address}?{path}=")
    return sorted(addresses.values())


@pytest.fixture
def staff_client(client, maintainer):
    client.force_login(maintainer)
    client.raise_request_exception = False
    return client


def test_the_lookups_are_those_of_every_list():
    addresses = lookups()
    assert "/admin/metrics/modechange/?at__year__gt=" in addresses
    assert len(addresses) > 300


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{value[:5]!r}")
def test_no_value_of_a_lookup_is_an_error_of_ours(staff_client, value):
    faults = {}
    for address in lookups():
        answer = staff_client.get(address + quote(value))
        if answer.status_code >= 500:
            faults[address] = repr(getattr(answer, "exc_info", [0, 0])[1])[:200]
    assert faults == {}
