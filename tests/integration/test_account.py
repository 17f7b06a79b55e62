"""The account: its password, its sessions and its token are for its person to change, list and end."""

import logging
import re

import pytest
from axes.models import AccessAttempt
from django.core.cache import cache
from django.test import Client
from rest_framework.authtoken.models import Token

from documents.models import SignIn
from documents.tasks import maintenance
from spms import account
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db
OLD, NEW = "a sample password", "another sample password"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0"
PAGE = {"Accept": "text/html"}


@pytest.fixture(autouse=True)
def _nobody_was_mailed():
    cache.clear()


def sign_in(name="owner", password=OLD, **extra):
    client = Client(**extra)
    assert client.post("/login/", {"username": name, "password": password}).status_code == 302
    return client


def shown(client):
    return client.get("/account/").content.decode()


def is_signed_in(client):
    return client.get("/account/").status_code == 200


def test_own_sessions_are_listed_and_ended_and_those_of_others_are_not(owner, member):
    here, there = sign_in(), sign_in(REMOTE_ADDR="192.0.2.7", HTTP_USER_AGENT=FIREFOX)
    stranger = sign_in("member")
    listed = shown(here)
    assert "Firefox on Windows" in listed
    assert "192.0.2.7" in listed
    assert listed.count("This session") == 1
    [other] = re.findall(r'name="session" value="(\d+)"', listed)
    assert stranger.post("/account/sessions/end/", {"session": other}, follow=True).status_code == 200
    assert is_signed_in(there)
    here.post("/account/sessions/end/", {"session": other})
    assert [is_signed_in(client) for client in (here, there, stranger)] == [True, False, True]


def test_all_other_sessions_are_ended_at_once(owner):
    here, *others = [sign_in() for _ in range(3)]
    here.post("/account/sessions/end/", {"session": "others"})
    assert [is_signed_in(client) for client in (here, *others)] == [True, False, False]
    for nonsense in ("", "x", "-1", "9" * 400, "٣"):
        assert here.post("/account/sessions/end/", {"session": nonsense}).status_code == 302
    assert is_signed_in(here)


def test_a_session_that_ended_is_not_listed_and_its_row_is_removed(owner):
    here, there = sign_in(), sign_in()
    there.post("/logout/")
    assert SignIn.objects.count() == 1
    gone = sign_in()
    gone.session.delete()
    assert shown(here).count("<li>") == 1
    maintenance.remove_sign_ins()
    assert SignIn.objects.count() == 1


def test_a_token_is_no_session_of_the_list(owner, member):
    browser = sign_in("member")
    answer = browser.post("/api/v1/auth/token/", {"username": "owner", "password": OLD})
    assert answer.status_code == 200
    assert [sign_in.user.username for sign_in in SignIn.objects.all()] == ["member"]


def test_a_changed_password_ends_everything_but_this_session(owner):
    here, there = sign_in(), sign_in()
    Token.objects.create(user=owner)
    values = {"old_password": OLD, "new_password1": NEW, "new_password2": NEW}
    page = here.post("/account/password/", values, follow=True).content.decode()
    assert "Your password is changed" in page
    assert page.count("<li>") == page.count("This session") == 1
    assert not is_signed_in(there)
    assert not Token.objects.exists()
    assert is_signed_in(sign_in(password=NEW))


def test_a_wrong_old_password_is_counted_like_a_failed_sign_in(owner, settings):
    settings.AXES_FAILURE_LIMIT = 3
    here = sign_in()
    values = {"old_password": "wrong", "new_password1": NEW, "new_password2": NEW}
    answers = [here.post("/account/password/", values, headers=PAGE) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert "tried too often" in answers[-1].content.decode()
    right = here.post("/account/password/", values | {"old_password": OLD}, headers=PAGE)
    assert right.status_code == 429
    owner.refresh_from_db()
    assert owner.check_password(OLD)


def test_a_token_is_shown_once_and_replaced_and_revoked(owner):
    here = sign_in()

    def make():
        answer = here.post("/account/token/", {"action": "create"})
        assert answer["Cache-Control"] == "no-store"
        return re.findall(r'id="new-token"[^>]*>(\w{40})<', answer.content.decode())[0]

    def status(token):
        return Client().get("/api/v1/documents/", headers={"Authorization": f"Token {token}"}).status_code

    first = make()
    assert status(first) == 200
    assert first not in shown(here)
    assert f"<code>{first[-4:]}</code>" in shown(here)
    second = make()
    assert [status(first), status(second)] == [401, 200]
    here.post("/account/token/", {"action": "revoke"})
    assert status(second) == 401


def ask_for_a_link(client, email, **extra):
    return client.post("/account/reset/", {"email": email}, headers=PAGE, **extra)


def test_a_forgotten_password_is_reset_by_a_link_that_works_once(owner, client, inbox, settings):
    settings.SPMS_URL = "https://spms.example.org"
    there = sign_in()
    answer = ask_for_a_link(client, "OWNER@example.org", HTTP_HOST="localhost")
    assert answer["Location"] == "/account/reset/sent/"
    [mail] = wait_for(lambda: inbox.messages)
    [link] = re.findall(r"https://spms\.example\.org(/account/reset/\S+)", mail.get_content())
    asked = client.get(link)
    assert asked["Location"].endswith("/set-password/")
    values = {"new_password1": NEW, "new_password2": NEW}
    assert client.post(asked["Location"], values)["Location"] == "/login/"
    assert not is_signed_in(there)
    assert is_signed_in(sign_in(password=NEW))
    assert "does not work any more" in client.get(link, follow=True).content.decode()


def test_known_and_unknown_addresses_get_the_same_answer_and_a_person_one_mail(owner, client, inbox):
    answers = [ask_for_a_link(client, f"{name}@example.org") for name in ("owner", "nobody", "owner")]
    assert {(answer.status_code, answer.content, answer["Location"]) for answer in answers} == {
        (302, b"", "/account/reset/sent/")
    }
    account._mailer().submit(lambda: None).result()
    assert len(inbox.messages) == 1


def test_a_mail_server_that_is_away_is_no_error_of_the_page(owner, client, settings):
    options = {"host": "127.0.0.1", "port": 1, "timeout": 1}
    settings.MAILERS = {
        "default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}
    }
    assert ask_for_a_link(client, "owner@example.org").status_code == 302
    account._mailer().submit(lambda: None).result()


def test_too_many_links_are_refused(owner, client, settings):
    settings.AXES_FAILURE_LIMIT = 3
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.dummy.EmailBackend"}}
    statuses = [ask_for_a_link(client, "owner@example.org").status_code for _ in range(4)]
    assert statuses == [302, 302, 429, 429]
    assert AccessAttempt.objects.get().post_data == ""
    assert ask_for_a_link(client, "owner@example.org", REMOTE_ADDR="192.0.2.9").status_code == 302
    assert is_signed_in(sign_in())


def test_without_a_mail_server_nothing_is_offered(client, settings):
    assert "Forgotten password" in client.get("/login/").content.decode()
    settings.SPMS_SENDS_MAIL = False
    assert "Forgotten password" not in client.get("/login/").content.decode()
    for path in ("", "sent/", "MQ/x-y/"):
        assert client.get(f"/account/reset/{path}").status_code == 404


def test_a_link_is_not_logged(client, caplog):
    with caplog.at_level(logging.INFO, "spms.requests"):
        client.get("/account/reset/MQ/secret-0123456789/")
    assert "/account/reset/" in caplog.text
    assert "secret" not in caplog.text
