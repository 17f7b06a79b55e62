"""The mode: seen by everybody, chosen by staff for a while, with a reason, and kept in the audit trail."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from metrics import flag
from metrics.models import ModeChange, ModeState

pytestmark = pytest.mark.django_db
MODE = "/api/v1/mode/"


@pytest.fixture
def auto(settings):
    settings.SPMS_MODE = "auto"


def test_everybody_sees_the_mode(api, auto, client):
    answer = api.get(MODE)
    assert (answer.status_code, answer.data["setting"], answer.data["effective"]) == (200, "auto", "inline")
    assert (answer.data["expires_at"], client.get(MODE).status_code) == (None, 401)


def test_only_staff_choose_it(api, auto):
    answer = api.put(MODE, {"setting": "queue", "reason": "because"})
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:spms:problem:permission-denied")
    assert (flag.mode(), ModeChange.objects.count()) == ("inline", 0)


def test_a_choice_holds_for_four_hours_and_is_kept(client_of, maintainer, auto):
    answer = client_of(maintainer).put(MODE, {"setting": "queue", "reason": "deadline day"})
    assert (answer.data["setting"], answer.data["effective"]) == ("queue", "queue")
    assert "deadline day" in answer.data["reason"]
    left = ModeState.objects.get().override_until - timezone.now()  # type: ignore[operator]
    assert timedelta(hours=3, minutes=59) < left <= timedelta(hours=4)
    change = ModeChange.objects.get()
    assert (change.before, change.after, change.actor) == ("inline", "queue", "maintainer")
    assert flag.mode() == "queue"


def test_a_choice_ends_by_itself_and_that_is_kept_too(client_of, maintainer, auto):
    client_of(maintainer).put(MODE, {"setting": "queue", "reason": "for a moment"})
    ModeState.objects.update(override_until=timezone.now() - timedelta(seconds=1))
    flag.clear_cache()
    assert flag.mode() == "inline"
    flag.end_expired_override()
    assert ModeChange.objects.first().reason == "the override has expired"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"setting": "queue"},
        {"setting": "queue", "reason": " "},
        {"setting": "fast", "reason": "x"},
        {"setting": "queue", "reason": "x", "expires_at": "2020-01-01T00:00:00Z"},
        {"setting": "queue", "reason": "x", "expires_at": "2999-01-01T00:00:00Z"},
        {"setting": "queue", "reason": "x", "expires_at": "tomorrow"},
        [],
    ],
)
def test_a_choice_without_reason_or_end_is_refused(client_of, maintainer, auto, body):
    assert client_of(maintainer).put(MODE, body, format="json").status_code == 400
    assert not ModeState.objects.filter(override__gt="").exists()


def test_the_command_shows_and_chooses_it(auto, capsys):
    call_command("mode")
    by_limits = capsys.readouterr().out
    assert by_limits.startswith("PDFs are rendered inline: each request renders its PDF")
    assert "The limits of thresholds.yaml decide this (SPMS_MODE is auto)" in by_limits
    call_command("mode", "queue", "--for", "2h", "--reason", "deadline")
    by_hand = capsys.readouterr().out
    assert by_hand.startswith("PDFs go to the queue: requests are answered at once")
    assert "Set by hand on " in by_hand
    assert "`spms mode auto` ends it" in by_hand
    assert "The reason: deadline (set by " in by_hand
    call_command("mode", "auto")
    assert capsys.readouterr().out.startswith("PDFs are rendered inline")
    assert [change.after for change in ModeChange.objects.all()] == ["inline", "queue"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["queue"], "--reason"),
        (["queue", "--reason", "x", "--for", "soon"], "expected a duration"),
        (["queue", "--reason", "x", "--for", "900d"], "expected a duration"),
        (["sideways"], "invalid choice"),
    ],
)
def test_the_command_says_what_is_wrong(auto, arguments, said):
    with pytest.raises(CommandError, match=said):
        call_command("mode", *arguments)


def test_asking_costs_one_query_at_most_and_none_within_a_second(auto, django_assert_num_queries):
    with django_assert_num_queries(1):
        flag.mode()
    with django_assert_num_queries(0):
        assert (flag.mode(), flag.is_auto()) == ("inline", True)


def test_while_the_database_is_away_the_last_mode_stands(auto, monkeypatch):
    ModeState.objects.create(mode="queue")
    assert flag.mode() == "queue"

    def away(*args, **kwargs):
        raise OperationalError("away")

    monkeypatch.setattr(ModeState.objects, "filter", away)
    flag.clear_cache()
    assert flag.mode() == "queue"
