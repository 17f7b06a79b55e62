"""Whatever is killed, and when: nothing accepted is lost or stored twice, and work goes on by itself."""

import random
import time
from collections import Counter

import psycopg
import pytest
import requests

from tests import mail
from tests.acceptance.chaos import COUNT, KILL_EVERY_SECONDS, WATCH, Killer, all_ended
from tests.acceptance.chaos_clients import Clients
from tests.acceptance.servers import RabbitMQ, Redis
from tests.acceptance.system import System
from tests.waiting import promised, wait_for

OUTAGE_SECONDS = 10.0
MIN_TASKS = 20
MIN_KILLED, MIN_KILLED_AMID_WORK = 8, 2
KINDS = {"pdf", "export", "image", "import", "cycle"}
RUNNING_AHEAD = "SELECT 1 FROM documents_task WHERE routed_by = 'prerender' AND status = 'running'"
UNFINISHED_AHEAD = """
SELECT 1 FROM documents_prerender WHERE outcome = 'running'
UNION ALL SELECT 1 FROM documents_task WHERE routed_by = 'prerender' AND status <> 'succeeded'
"""
FAILED = "SELECT id::text FROM documents_task WHERE status = 'failed'"
BROKERS: dict[str, type[Redis | RabbitMQ]] = {"redis": Redis, "rabbitmq": RabbitMQ}
ENGINES = [
    pytest.param(name, marks=pytest.mark.xdist_group(f"chaos-{name}"))
    for name in ("database", "redis", "rabbitmq")
]


@pytest.fixture(params=ENGINES)
def engine(request):
    """What carries the queue: the database with Django-Q2, or a broker with Celery."""
    if request.param == "rabbitmq" and request.config.getoption("--engines") != "all":
        pytest.skip("a minute more: --engines all kills over RabbitMQ, too")
    return request.param


@pytest.fixture
def broker(engine):
    server = BROKERS[engine]() if engine in BROKERS else None
    yield server
    if server:
        server.remove()


@pytest.fixture
def inbox():
    with mail.receiving(delay_seconds=0.02) as server:
        yield server


@pytest.fixture
def system(postgres, broker, inbox, tmp_path):
    settings = {
        "SPMS_MODE": "auto",  # every client prefers the queue, and PDFs are made ahead while it is empty
        "SPMS_PRERENDER_AFTER": "1s",
        "SPMS_PRERENDER_MAX_LOAD": "100",
        "SPMS_RETRY_BACKOFF": "1s",
        "SPMS_QUEUE_LIMIT_PER_USER": "1000",
        "SPMS_MAILS_PER_MINUTE": "0",
        "EMAIL_URL": inbox.url,
    }
    if broker:
        settings |= {"SPMS_QUEUE_BACKEND": "celery", "SPMS_CELERY_BROKER": broker.url}
    new_system = System(tmp_path, postgres.new_database(), **settings)
    new_system.session.headers["Prefer"] = "respond-async"
    with new_system.running(supervised=True):
        yield new_system


def test_nothing_is_lost_or_made_twice_while_processes_are_killed(
    system, postgres, broker, inbox, engine, request, record_property
):
    seconds, seed = request.config.getoption("--chaos-seconds"), request.config.getoption("--chaos-seed")
    seed = random.randrange(10_000) if seed is None else seed
    url = system.environment["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as database:
        database.execute(WATCH)
    clients, killer = Clients(system, seed), Killer(system, seed)
    clients.start()
    _wreak_havoc(killer, [server for server in (postgres, broker) if server], seconds)
    # However slow the machine: it must have been at work of every kind while processes were killed.
    _strike_until(
        killer,
        clients,
        lambda: (
            clients.kinds.keys() == KINDS
            and len(clients.accepted) >= MIN_TASKS
            and killer.killed.total() >= MIN_KILLED
            and killer.killed_amid_work >= MIN_KILLED_AMID_WORK
        ),
    )
    clients.finish()
    settled_at = time.monotonic()
    with psycopg.connect(url, autocommit=True) as database:
        assert _is_at_work_again(system, database) - settled_at < promised(30)
        ended = all_ended(system, clients.accepted.keys(), seconds=600)
        published: dict[str, int] = dict(database.execute(COUNT).fetchall())
        _strike_what_is_made_ahead(killer, system, database)
        failed = {task_id for (task_id,) in database.execute(FAILED).fetchall()}
    statuses = Counter(task["status"] for task in ended.values())
    attempts = Counter(task["attempts"] for task in ended.values())
    kinds = Counter(task["kind"] for task in ended.values())
    record_property(
        "chaos",
        f"{engine}: {len(ended)} tasks accepted ({dict(kinds)}): {dict(statuses)}, "
        f"attempts {dict(sorted(attempts.items()))}; "
        f"killed with -9: {dict(killer.killed)}; failures that clients saw: {dict(clients.refused)}; "
        f"seed {seed}",
    )
    assert set(kinds) == KINDS
    assert set(statuses) <= {"succeeded", "failed"}
    for task_id, task in ended.items():
        assert published.get(task_id, 0) == (task["status"] == "succeeded"), task
        if task["status"] == "failed":
            assert task["error"]["detail"], task
        else:
            clients.accepted[task_id](system, task)
    assert failed <= clients.accepted.keys(), "a PDF that nobody had asked for failed"
    assert set(inbox.ids.values()) == {1}, "somebody got a letter twice"


def _strike_until(killer, clients, condition, seconds=600.0):
    """Kill something each time that a task was accepted: a busy machine starts processes no faster than they die."""
    give_up_at = time.monotonic() + seconds
    while not condition():
        accepted = len(clients.accepted)
        wait_for(lambda accepted=accepted: len(clients.accepted) > accepted, give_up_at - time.monotonic())
        time.sleep(KILL_EVERY_SECONDS)
        killer.strike()


def _wreak_havoc(killer, servers, seconds):
    """Kill something every few seconds, and stop the database and the broker for ten of them half way."""
    begun_at, was_away = time.monotonic(), False
    while time.monotonic() < begun_at + seconds:
        time.sleep(KILL_EVERY_SECONDS)
        killer.strike()
        if not was_away and time.monotonic() > begun_at + seconds / 2:
            for server in servers:
                server.stop()
            time.sleep(OUTAGE_SECONDS)
            for server in servers:
                server.start()
            was_away = True


def _strike_what_is_made_ahead(killer, system, database):
    """Kill what makes a PDF that nobody has asked for, each time something else, until nothing of it is left."""
    plans = wait_for(lambda: _if_up(lambda: system.documents(kind="project_plan")))
    for plan, name in zip(plans, ("busy worker", "rendering process", "cluster"), strict=False):
        wait_for(lambda plan=plan: _if_up(lambda: system.lengthen(plan)))
        wait_for(lambda: database.execute(RUNNING_AHEAD).fetchone())
        wait_for(lambda name=name: killer.strike_at(name))
        system.lapse()
    wait_for(lambda: not database.execute(UNFINISHED_AHEAD).fetchone())


def _is_at_work_again(system, database):
    """Wait until a new task is accepted and some task succeeds; return when."""
    plan = wait_for(lambda: _if_up(lambda: system.documents(kind="concept_plan")))[0]
    wait_for(lambda: _if_up(lambda: system.make(plan).status_code == 202))
    accepted = database.execute("SELECT now()").fetchone()
    wait_for(lambda: database.execute("SELECT 1 FROM published WHERE at > %s", accepted).fetchone())
    return time.monotonic()


def _if_up(ask):
    """Return the answer, or None while the web server that was killed last starts again."""
    try:
        return ask()
    except requests.ConnectionError:
        return None
