"""A SECRET_KEY is replaced: with the old one as a fallback nothing is lost; without it, people sign in again."""

from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ
from django_q.signing import SignedPackage
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from documents.models import Cluster, Task
from documents.queue import hints
from spms import environment
from spms.task_backends import broker

pytestmark = pytest.mark.django_db

OLD, NEW = "old-" * 20, "new-" * 20


@pytest.fixture
def rotated(settings, monkeypatch):
    """Return a function that replaces the key, with or without the old one as a fallback."""
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = OLD, []
    monkeypatch.setattr("django_q.conf.Conf.SECRET_KEY", OLD)

    def rotate(fallbacks):
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, fallbacks
        monkeypatch.setattr("django_q.conf.Conf.SECRET_KEY", NEW)

    return rotate


@pytest.mark.parametrize(("fallbacks", "is_signed_in"), [([OLD], True), ([], False)])
def test_sessions_last_as_long_as_the_old_key_is_a_fallback(
    client, maintainer, rotated, fallbacks, is_signed_in
):
    client.force_login(maintainer, backend="django.contrib.auth.backends.ModelBackend")
    rotated(fallbacks)
    assert (client.get("/dashboard/").status_code == 200) is is_signed_in


def test_a_session_is_signed_with_the_new_key_once_it_was_used(client, maintainer, rotated):
    client.force_login(maintainer, backend="django.contrib.auth.backends.ModelBackend")
    rotated([OLD])
    assert client.get("/dashboard/").status_code == 200
    rotated([])
    assert client.get("/dashboard/").status_code == 200


def test_entries_of_the_old_key_are_dropped_and_their_tasks_enqueued_again(rotated):
    hints.begin_scheduled("cleanup")
    rotated([OLD])
    queue = broker.NotifyingOrmBroker(list_key="spms")
    entry = queue._take()
    assert entry is not None
    assert not queue._is_readable(entry)
    assert not OrmQ.objects.exists()
    Cluster.objects.create(name="host:1", workers=1)
    Task.objects.update(hinted_at=timezone.now() - timedelta(hours=1))
    hints.recover()
    [again] = OrmQ.objects.all()
    assert SignedPackage.loads(again.payload)


def test_tokens_of_the_api_do_not_depend_on_the_key(maintainer, rotated):
    token = Token.objects.create(user=maintainer)
    rotated([])
    client = APIClient(headers={"Authorization": f"Token {token.key}"})
    assert client.get(reverse("task-list")).status_code == 200


def test_an_old_key_that_can_be_guessed_is_refused_in_production():
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY_FALLBACKS"):
        environment.refuse_unsafe(NEW + "abcdefghijkl", is_debug=False, fallbacks=["short"])
