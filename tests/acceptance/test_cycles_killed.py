"""Letters of a cycle, with a real mail server and workers that are killed: nobody gets two, nobody is forgotten."""

import contextlib
import os
import random
import signal
import time

import psycopg
import pytest

from tests import mail
from tests.acceptance.system import System
from tests.waiting import wait_for

pytestmark = pytest.mark.xdist_group("cycles")

PEOPLE = 200
KILLS = 10
# A mail server that answers 20 ms after it has kept a letter: most kills fall into that.
DELAY_SECONDS = 0.02
FILL = f"""
from django.contrib.auth.models import User
from documents.models import BusinessArea, Membership, Project
area = BusinessArea.objects.first()
projects = [Project.objects.create(title=f'Reef {{n}}', tag=f'TT-2026-{{n:03d}}', year=2026, status='active',
                                   business_area=area) for n in range(1, 41)]
people = User.objects.bulk_create(
    [User(username=f'person{{n}}', email=f'person{{n}}@example.org') for n in range({PEOPLE})])
Membership.objects.bulk_create(
    [Membership(user=person, project=projects[(n + m) % 40]) for n, person in enumerate(people) for m in range(2)])
"""
SENDER = """SELECT worker, token FROM documents_task
            WHERE kind = 'cycle' AND status = 'running' AND token IS DISTINCT FROM %s"""
LAPSE = "UPDATE documents_task SET lease_until = now() - interval '1 second' WHERE status = 'running'"


@pytest.fixture(scope="module")
def inbox():
    with mail.receiving(delay_seconds=DELAY_SECONDS) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def system(postgres, inbox, tmp_path_factory):
    started = System(
        tmp_path_factory.mktemp("system"),
        postgres.new_database(),
        EMAIL_URL=inbox.url,
        SPMS_MAILS_PER_MINUTE="0",
        SPMS_RETRY_BACKOFF="1s",
        SPMS_MAX_RETRIES="12",
    )
    started.prepare()
    started.manage("shell", "-v", "0", "-c", FILL)
    started.start_web()
    started.start_workers()
    started.wait_for_workers()
    yield started
    started.stop()


def letters_of(system, cycle):
    letters, page = [], 1
    while True:
        answer = system.call(
            "GET", f"cycles/{cycle}/letters/", params={"page_size": 100, "page": page}
        ).json()
        letters += answer["results"]
        if answer["next"] is None:
            return letters
        page += 1


def kill_the_sender(database, inbox, last):
    """Kill who sends right after a letter arrived, and let its lease lapse at once; return the claim that it had."""
    worker, token = wait_for(lambda: database.execute(SENDER, [last]).fetchone())
    count = len(inbox.messages) + random.randint(1, 8)
    give_up_at = time.monotonic() + 30
    while len(inbox.messages) < min(count, PEOPLE) and time.monotonic() < give_up_at:
        time.sleep(0.001)  # the moment is what matters here
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(worker.rpartition("/")[2]), signal.SIGKILL)
    database.execute(LAPSE)
    return token


def test_nobody_gets_two_letters_and_nobody_is_forgotten_while_senders_are_killed(
    system, inbox, record_property
):
    body = {"year": 2031, "due": "2031-07-31"}
    begun = system.call("POST", "cycles/", json=body, headers={"Prefer": "respond-async"})
    assert begun.status_code == 202, begun.text
    kills, claim = 0, None
    with psycopg.connect(system.environment["DATABASE_URL"], autocommit=True) as database:
        while kills < KILLS:
            claim = kill_the_sender(database, inbox, claim)
            kills += 1
    task = system.ended(begun.json()["task_id"])
    assert task["status"] == "succeeded", task
    [cycle] = system.call("GET", "cycles/", params={"year": 2031}).json()["results"]
    letters, received = letters_of(system, cycle["id"]), inbox.ids
    states = {
        state: {letter["message_id"] for letter in letters if letter["state"] == state}
        for state in cycle["letters"]
    }
    record_property("letters", f"{kills} kills; {cycle['letters']}; {sum(received.values())} received")
    assert kills == KILLS
    assert set(received.values()) == {1}, "somebody got two"
    assert states["sent"] <= set(received), "a letter that never arrived was called sent"
    assert set(received) <= states["sent"] | states["perhaps_sent"]
    assert not states["waiting"] | states["sending"] | states["failed"]
    assert 0 < len(states["perhaps_sent"]) <= kills
    assert len(letters) >= PEOPLE
    reports = system.documents(year=2031, kind="progress_report")
    assert len({report["project"] for report in reports}) == len(reports) >= 40


def is_quiet(inbox):
    """Return whether no letter comes for two seconds."""
    count = len(inbox.messages)
    time.sleep(2)
    return len(inbox.messages) == count


def test_it_is_stopped_and_resumed_and_a_mail_server_that_is_away_is_waited_for(system, inbox):
    inbox.messages.clear()
    inbox.delay_seconds = 0.1
    body = {"year": 2032, "due": "2032-07-31"}
    task = system.call("POST", "cycles/", json=body, headers={"Prefer": "respond-async"}).json()
    [cycle] = system.call("GET", "cycles/", params={"year": 2032}).json()["results"]
    wait_for(lambda: len(inbox.messages) > 5)
    stopped = system.call("POST", f"cycles/{cycle['id']}/stop/").json()
    assert stopped["state"] == "stopped"
    wait_for(lambda: is_quiet(inbox))  # two seconds are promised; all that are left would take twenty
    assert len(inbox.messages) < PEOPLE
    inbox.delay_seconds = 0
    inbox.at_mail += ["421 too many connections", "451 try again"]
    again = system.call("POST", f"cycles/{cycle['id']}/resume/", headers={"Prefer": "respond-async"}).json()
    assert again["task_id"] != task["task_id"]
    assert system.ended(again["task_id"])["status"] == "succeeded"
    cycle = system.call("GET", f"cycles/{cycle['id']}/").json()
    assert (cycle["state"], cycle["letters"]["waiting"], cycle["letters"]["failed"]) == ("done", 0, 0)
    assert set(inbox.ids.values()) == {1}
    assert len(inbox.messages) == cycle["letters"]["sent"] + cycle["letters"]["perhaps_sent"]
