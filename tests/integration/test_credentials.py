"""A changed password and a deactivated account end the API token and the sessions."""

from io import StringIO

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from rest_framework.authtoken.models import Token

from tests import factories

pytestmark = pytest.mark.django_db
OLD, NEW = "a sample password", "another sample password"


def change_in_the_admin(person):
    admin = Client()
    admin.force_login(factories.staff("admin"))
    form = {"password1": NEW, "password2": NEW, "usable_password": "true"}
    assert admin.post(f"/admin/auth/user/{person.pk}/password/", form).status_code == 302


def disable_in_the_admin(person):
    admin = Client()
    admin.force_login(factories.staff("admin"))
    form = {"password1": "", "password2": "", "usable_password": "false"}
    answer = admin.post(f"/admin/auth/user/{person.pk}/password/", form | {"unset-password": "1"})
    assert answer.status_code == 302


def change_by_command(person, monkeypatch):
    monkeypatch.setattr("getpass.getpass", lambda prompt: NEW)
    call_command("changepassword", person.username, stdout=StringIO())


def change_oneself(person):
    person.is_staff = True
    person.save()
    client = Client()
    client.force_login(person)
    form = {"old_password": OLD, "new_password1": NEW, "new_password2": NEW}
    assert client.post("/admin/password_change/", form).status_code == 302


def deactivate_in_the_admin(person):
    admin = Client()
    admin.force_login(factories.staff("admin"))
    page = admin.get(f"/admin/auth/user/{person.pk}/change/")
    initial = {
        name: value for name, value in page.context["adminform"].form.initial.items() if value is not None
    }
    form = {
        name: value
        for name, value in initial.items()
        if name not in {"is_active", "date_joined", "last_login"}
    }
    joined = initial["date_joined"]
    form |= {"date_joined_0": f"{joined:%Y-%m-%d}", "date_joined_1": f"{joined:%H:%M:%S}"}
    form |= {"groups": [], "user_permissions": [], "is_staff": "", "is_superuser": ""}
    assert admin.post(f"/admin/auth/user/{person.pk}/change/", form).status_code == 302


def change_in_code(person):
    person.set_password(NEW)
    person.save(update_fields=["password"])


def assign_in_code(person):
    person.password = make_password(NEW)
    person.save()


def deactivate_in_code(person):
    person.is_active = False
    person.save(update_fields=["is_active"])


WAYS = (
    change_in_the_admin,
    disable_in_the_admin,
    change_by_command,
    change_oneself,
    deactivate_in_the_admin,
    change_in_code,
    assign_in_code,
    deactivate_in_code,
)


@pytest.fixture
def signed_in(owner):
    """Return what a person is answered with the token and with the session that they had from the beginning."""
    headers = {"Authorization": f"Token {Token.objects.create(user=owner).key}"}
    client, programme = Client(), Client(headers=headers)
    client.force_login(owner)

    def answers():
        return [one.get("/api/v1/documents/").status_code for one in (client, programme)]

    assert answers() == [200, 200]
    return answers


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_token_and_sessions_end_wherever_the_password_changes(way, owner, signed_in, monkeypatch):
    way(*(owner, monkeypatch)[: way.__code__.co_argcount])
    assert signed_in() == [401, 401]
    # Nor do they come back with the account.
    User.objects.filter(pk=owner.pk).update(is_active=True)
    assert signed_in() == [401, 401]


def test_others_stay_signed_in(owner, member, signed_in):
    change_in_code(member)
    deactivate_in_code(member)
    assert signed_in() == [200, 200]


def test_other_changes_of_an_account_end_nothing(owner, signed_in):
    owner.first_name = "Renamed"
    owner.save()
    owner.save(update_fields=["last_name"])
    assert signed_in() == [200, 200]


def test_a_token_survives_the_newer_hash_of_the_same_password(owner, settings):
    token = Token.objects.create(user=owner)
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    answer = Client().post("/api/v1/auth/token/", {"username": "owner", "password": OLD})
    owner.refresh_from_db()
    assert owner.password.startswith("pbkdf2")
    assert answer.json()["token"] == token.key
