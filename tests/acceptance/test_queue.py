"""The queue with real processes: web, ``qcluster`` and its workers, on SQLite and on PostgreSQL."""

import contextlib
import io
import signal
import subprocess
import time

import psutil
import pypdfium2
import pytest

from tests.acceptance.flower_server import Flower
from tests.acceptance.servers import RabbitMQ, Redis
from tests.acceptance.system import MANAGE, ROOT, WORKERS, System
from tests.waiting import promised, wait_for

SQLITE = pytest.param("sqlite", marks=pytest.mark.xdist_group("queue-sqlite"))
POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.xdist_group("queue-postgresql"))


REDIS = pytest.param("redis", marks=pytest.mark.xdist_group("queue-redis"))
RABBITMQ = pytest.param("rabbitmq", marks=pytest.mark.xdist_group("queue-rabbitmq"))
LATER_FIRST = """
from django.contrib.auth.models import User
from documents.models import Document, Task
from documents.queue import hints
from documents.queue.requests import TaskRequest
hints.begin_scheduled("cleanup")
print(Task.objects.get(kind="cleanup", status="queued").pk)
for document in Document.objects.filter(kind="concept_plan")[:4]:
    request = TaskRequest(kind="pdf", fingerprint=f"asked for {document.pk}", document=document)
    asked_for, _ = hints.submit_in_background(request, user=User.objects.get(username="maintainer"))
    print(asked_for.pk)
"""
BROKERS: dict[str, type[Redis | RabbitMQ]] = {"redis": Redis, "rabbitmq": RabbitMQ}
ENGINES = [SQLITE, POSTGRESQL, REDIS, RABBITMQ]
USUAL_ENGINES = {"sqlite", "redis"}  # Django-Q2 and Celery


@pytest.fixture(scope="module", params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture(scope="module")
def broker(engine):
    """The broker of Celery; None where the queue is in the database."""
    server = BROKERS[engine]() if engine in BROKERS else None
    yield server
    if server:
        server.remove()


@pytest.fixture(scope="module")
def system(engine, broker, request, tmp_path_factory):
    url = None if engine == "sqlite" else request.getfixturevalue("postgres").new_database()
    settings = {"SPMS_QUEUE_BACKEND": "celery", "SPMS_CELERY_BROKER": broker.url} if broker else {}
    started = System(tmp_path_factory.mktemp("system"), url, SPMS_RETRY_BACKOFF="1s", **settings)
    with started.running():
        yield started


@pytest.fixture(scope="module")
def life_of_a_task(engine, request):
    """Mark what our own rows and processes decide: Django-Q2 does it on every database, Celery over every broker."""
    if engine not in USUAL_ENGINES and request.config.getoption("--engines") != "all":
        pytest.skip(
            f"the same with {' and '.join(sorted(USUAL_ENGINES))}: --engines all tries it on {engine}, too"
        )


@pytest.fixture
def plan(system):
    return system.documents(kind="concept_plan")[0]


@pytest.fixture
def report(system):
    """Some seconds of work for one rendering process, when nothing else is going on."""
    wait_for(lambda: len(system.workers()) >= 2 and not busy_children(system))
    return system.long_document()


def text_of(system, task):
    answer = system.session.get(system.address + task["result"]["url"])
    pdf = pypdfium2.PdfDocument(io.BytesIO(answer.content))
    return "".join(page.get_textpage().get_text_range() for page in pdf)


def test_a_document_is_queued_and_soon_a_pdf(system, plan):
    answer = system.make(plan)
    task = answer.json()
    assert (answer.status_code, task["status"], task["mode"]) == (202, "queued", "queue")
    assert answer.headers["Location"] == f"/api/v1/tasks/{task['task_id']}/"
    assert int(answer.headers["Retry-After"]) >= 1
    assert task["queue"]["position"] >= 1
    ended = system.ended(task["task_id"])
    assert (ended["status"], ended["attempts"], ended["queue"]) == ("succeeded", 1, None)
    assert "Background" in text_of(system, ended)


@pytest.mark.usefixtures("life_of_a_task")
def test_a_client_may_wait_for_the_queue(system, plan, report):

    def made_while_it_waits():
        answer = system.make(plan, headers={"Prefer": "wait=20"})
        assert answer.headers["Preference-Applied"] == "wait=20"
        if answer.status_code == 202:  # too slow this time; the next request would join it
            system.ended(answer.json()["task_id"])
        return answer.status_code == 201 and answer

    assert wait_for(made_while_it_waits).json()["status"] == "succeeded"
    impatient = system.make(report, headers={"Prefer": "wait=1"})
    assert (impatient.status_code, impatient.headers["Preference-Applied"]) == (202, "wait=1")
    assert system.ended(impatient.json()["task_id"])["status"] == "succeeded"


@pytest.mark.usefixtures("life_of_a_task")
def test_a_running_task_is_cancelled_within_two_seconds(system, report):
    task_id = system.make(report).json()["task_id"]
    wait_for(lambda: system.call("GET", f"tasks/{task_id}/").json()["status"] == "running")
    cancelled = system.call("POST", f"tasks/{task_id}/cancel/")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    wait_for(lambda: f"task {task_id} was taken away while it ran" in system.log(), promised(2))
    again = system.call("POST", f"tasks/{task_id}/cancel/")
    assert (again.status_code, again.json()["type"]) == (409, "urn:spms:problem:task-state")
    retried = system.call("POST", f"tasks/{task_id}/retry/")
    assert retried.status_code == 202
    assert system.ended(task_id)["status"] == "succeeded"


@pytest.mark.usefixtures("life_of_a_task")
def test_a_killed_rendering_process_is_a_retry(system, report):
    task_id = system.make(report).json()["task_id"]
    [child] = wait_for(lambda: busy_children(system))
    child.kill()
    wait_for(
        lambda: (
            (task := system.call("GET", f"tasks/{task_id}/").json())["status"] == "retrying"
            or task["attempts"] > 1
        )
    )
    ended = system.ended(task_id)
    assert (ended["status"], ended["attempts"], ended["error"]) == ("succeeded", 2, None)


def test_what_a_killed_worker_was_doing_is_done_by_another(system, report):
    task_id = system.make(report).json()["task_id"]
    [child] = wait_for(lambda: busy_children(system))
    worker = child.parent()
    worker.kill()
    wait_for(lambda: not worker.is_running())
    assert system.call("GET", f"tasks/{task_id}/").json()["status"] == "running"
    system.lapse()
    ended = system.ended(task_id)
    assert (ended["status"], ended["attempts"]) == ("succeeded", 2)


@pytest.mark.parametrize("engine", [SQLITE, POSTGRESQL], indirect=True)
def test_a_cluster_stalled_by_the_death_of_idle_workers_heals_itself(system, plan):
    system.wait_until_workers_are_listed()  # one that is not listed yet would live
    before = system.main()
    family = {*before.children(recursive=True)}
    for worker in system.workers():
        worker.kill()
    # Django-Q2 starts new workers, which wait for a lock that nobody can give back.
    wait_for(lambda: {*before.children(recursive=True)} - family)
    begun_at = time.monotonic()
    ended = system.ended(system.make(plan).json()["task_id"])
    assert ended["status"] == "succeeded"
    assert time.monotonic() - begun_at < promised(30)
    assert not before.is_running()
    assert "no worker takes them" in system.log()


@pytest.mark.usefixtures("life_of_a_task")
def test_a_killed_cluster_leaves_no_process_and_is_started_again(system, plan):
    main = system.main()
    family = main.children(recursive=True)
    main.kill()
    wait_for(lambda: not any(process.is_running() for process in family), promised(5))
    assert system.ended(system.make(plan).json()["task_id"])["status"] == "succeeded"


@pytest.mark.parametrize("engine", [SQLITE, POSTGRESQL], indirect=True)
def test_broken_and_unknown_entries_fail_alone(system, plan):
    script = """
from django_q.models import OrmQ
from django_q.tasks import async_task
from django.utils import timezone
before = set(OrmQ.objects.values_list("pk", flat=True))
for payload in ("", "nonsense", "gASVAAAA:1abc:def"):
    OrmQ.objects.create(key="spms", payload=payload, lock=timezone.now())
async_task("nowhere.to.be.found")
async_task("spms.task_backends.django_q.execute", "documents.queue.hints.renamed", [], {})
async_task("spms.task_backends.django_q.execute", "documents.queue.hints.run_task", ["no id"], {})
print(min(set(OrmQ.objects.values_list("pk", flat=True)) - before, default=0))
"""
    first = system.manage("shell", "-v", "0", "-c", script).stdout.strip()
    main = system.main()
    assert system.ended(system.make(plan).json()["task_id"])["status"] == "succeeded"
    left = f"from django_q.models import OrmQ; print(OrmQ.objects.filter(pk__gte={first}).count())"
    wait_for(lambda: system.manage("shell", "-v", "0", "-c", left).stdout.strip() == "0")
    assert main.is_running()


@pytest.mark.parametrize("engine", [REDIS, RABBITMQ], indirect=True)
def test_what_is_asked_for_while_the_broker_is_away_is_done_later(system, plan, broker):
    def have_workers_noticed():
        return "consumer: Connection to broker lost" in system.log() or "Cannot connect to" in system.log()

    broker.stop()
    answer = system.make(plan)
    assert answer.status_code == 202
    # One that was just sending a heartbeat tries again without a word until the broker is back.
    with contextlib.suppress(AssertionError):
        wait_for(have_workers_noticed, 10)
    broker.start()
    assert system.ended(answer.json()["task_id"])["status"] == "succeeded"
    wait_for(have_workers_noticed)


@pytest.mark.parametrize("engine", [REDIS, RABBITMQ], indirect=True)
def test_a_broker_that_says_nothing_costs_a_request_some_seconds(system, plan, broker):
    frozen = psutil.Process(broker.pid)
    frozen.suspend()
    begun_at = time.monotonic()
    answer = system.make(plan)
    took_seconds = time.monotonic() - begun_at
    frozen.resume()
    assert (answer.status_code, took_seconds < promised(10)) == (202, True), took_seconds
    assert system.ended(answer.json()["task_id"])["status"] == "succeeded"


@pytest.fixture
def flower(system):
    server = Flower(system.environment, system.folder / "flower.log")
    yield server
    server.stop()


@pytest.mark.parametrize("engine", [REDIS, RABBITMQ], indirect=True)
def test_flower_shows_tasks_by_kind_and_id_to_those_who_sign_in(system, plan, flower):
    assert flower.get("tasks", auth=None).status_code == 401

    def shown():  # the workers begin to report when Flower has asked them to
        task_id = system.make(plan).json()["task_id"]
        assert system.ended(task_id)["status"] == "succeeded"
        tasks = [(task["name"], task["args"]) for task in flower.get("tasks").json().values()]
        return ("pdf", task_id) in tasks and tasks

    # A task that began before Flower asked has no name there.
    assert {name for name, _ in wait_for(shown) if name} <= {"pdf", "cleanup", "summary"}


@pytest.mark.parametrize("engine", [REDIS], indirect=True)
def test_flower_shows_how_many_messages_wait(system, flower):
    main, plans = system.main(), system.documents(kind="concept_plan")[:3]
    main.suspend()
    try:
        waiting = [system.make(plan).json()["task_id"] for plan in plans]
        [queue] = flower.get("queues/length").json()["active_queues"]
    finally:
        main.resume()
    # A worker that was about to take a message has it.
    assert (queue["name"], 2 <= queue["messages"] <= 3) == ("spms", True)
    assert [system.ended(task_id)["status"] for task_id in waiting] == ["succeeded"] * 3


@pytest.mark.parametrize("engine", [POSTGRESQL, REDIS, RABBITMQ], indirect=True)
def test_the_workers_outlast_a_database_that_is_away(system, plan, postgres):
    main, noticed = system.main(), system.log().count("the database cannot be used")
    postgres.stop()
    away = system.make(plan)
    assert (away.status_code, away.json()["type"]) == (503, "urn:spms:problem:database-unavailable")
    wait_for(lambda: system.log().count("the database cannot be used") > noticed)
    postgres.start()
    begun_at = time.monotonic()
    answer = wait_for(lambda: (queued := system.make(plan)).status_code == 202 and queued)
    assert system.ended(answer.json()["task_id"])["status"] == "succeeded"
    assert time.monotonic() - begun_at < promised(30)
    assert main.is_running()


def test_what_the_clock_begins_comes_after_what_people_asked_for(system):
    supervisor = supervisor_of_workers(system)
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(promised(20)) == 0
    later, *asked_for = system.manage("shell", "-v", "0", "-c", LATER_FIRST).stdout.split()
    system.start_workers()
    started = [system.ended(task_id)["started_at"] for task_id in [*asked_for, later]]
    assert started[-1] == max(started)


def test_a_cluster_told_to_stop_finishes_or_returns_its_task(system, report):
    supervisor = supervisor_of_workers(system)
    main, family = system.main(), system.main().children(recursive=True)
    task_id = system.make(report).json()["task_id"]
    wait_for(lambda: busy_children(system))
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(promised(20)) == 0
    assert not main.is_running()
    wait_for(lambda: not any(process.is_running() for process in family), promised(5))
    task = system.call("GET", f"tasks/{task_id}/").json()
    assert task["status"] in {"queued", "succeeded"}
    system.start_workers()
    assert system.ended(task_id)["status"] == "succeeded"


@pytest.mark.usefixtures("life_of_a_task")
def test_a_signal_to_the_whole_process_group_lets_the_running_task_finish(system, report):
    supervisor = supervisor_of_workers(system)
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(promised(20)) == 0
    # `timeout` passes the signal on to its process group, as a terminal and other wrappers do.
    patient = ("env", "SPMS_SHUTDOWN_GRACE=120s", "timeout", "600")
    wrapper = system.start_workers(supervised=False, on=patient)
    system.wait_for_workers()
    reported = len(system.log())
    task_id = system.make(report).json()["task_id"]
    wait_for(lambda: busy_children(system))
    wrapper.send_signal(signal.SIGTERM)
    assert wrapper.wait(120) == 0
    task = system.call("GET", f"tasks/{task_id}/").json()
    assert (task["status"], task["attempts"]) == ("succeeded", 1)
    assert "Traceback" not in system.log()[reported:]
    system.start_workers()


def test_workers_may_start_before_their_database(tmp_path):
    alone = System(tmp_path)
    worker = alone.start_workers(supervised=False)
    try:
        wait_for(lambda: "the database cannot be used" in alone.log())
        alone.prepare()
        alone.start_web()
        plan = alone.documents(kind="concept_plan")[0]
        assert alone.ended(alone.make(plan).json()["task_id"])["status"] == "succeeded"
        assert worker.poll() is None
    finally:
        alone.stop()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"retry": 10}, "retry"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"ack_failures": False}, "ack_failures"),
    ],
)
def test_settings_that_lose_tasks_are_refused_at_the_start(change, said, tmp_path):
    (tmp_path / "wrong.py").write_text(f"from spms.settings import *\nQ_CLUSTER |= {change}\n")
    environment = {
        "PATH": "/usr/bin:/bin",
        "SPMS_DATA_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "wrong",
        "PYTHONPATH": str(tmp_path),
    }
    ended = subprocess.run([*MANAGE, "qcluster"], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.returncode == 1
    assert f"Q_CLUSTER: {said}" in ended.stderr


def test_a_worker_of_celery_with_wrong_settings_ends_with_one_line(tmp_path):
    wrong = {
        "SPMS_QUEUE_BACKEND": "celery",
        "SPMS_CELERY_BROKER": "amqp://127.0.0.1//",
        "SPMS_RENDER_TIMEOUT": "40m",
    }
    environment = {"PATH": "/usr/bin:/bin", "SPMS_DATA_DIR": str(tmp_path), **wrong}
    ended = subprocess.run(WORKERS["celery"], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert line.startswith("spms: SPMS_RENDER_TIMEOUT must be below 29m")


def is_tried_again(task):
    return task["status"] == "retrying" or task["attempts"] > 1


def supervisor_of_workers(system):
    supervisors = [
        process for process in system.processes if "deploy/keep.sh" in process.args and process.poll() is None
    ]
    return supervisors[-1]


def busy_children(system):
    """Return the rendering processes of the workers that compute."""
    children = [child for worker in system.workers() for child in worker.children(recursive=True)]
    used = {child: cpu_seconds(child) for child in children}
    time.sleep(0.3)
    return [
        child for child, seconds in used.items() if cpu_seconds(child) > seconds + 0.02
    ]  # one that waits uses none


def cpu_seconds(process):
    try:
        return process.cpu_times().user
    except psutil.Error:
        return 0.0
