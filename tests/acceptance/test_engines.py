"""Beyond one machine: several clusters on one database, and a backend of django.tasks that others have written."""

import pytest

from tests.acceptance.system import MANAGE, System
from tests.waiting import wait_for

# Nothing but settings: the backend, its app, and that Django-Q2 is not used.
OTHER = """
from spms.settings import *
INSTALLED_APPS += ["django_tasks_db"]
TASKS["queue"] = {"BACKEND": "django_tasks_db.DatabaseBackend"}
"""


@pytest.fixture
def system(postgres, tmp_path):
    prepared = System(tmp_path, postgres.new_database(), SPMS_RETRY_BACKOFF="1s", SPMS_QUEUE_WORKERS="1")
    yield prepared
    prepared.stop()


def workers_of(system, tasks):
    ids = [task["task_id"] for task in tasks]
    script = (
        "from documents.models import Task;"
        f" print(*Task.objects.filter(pk__in={ids}).values_list('worker', flat=True).distinct())"
    )
    printed = system.manage("shell", "-v", "0", "-c", script).stdout.split()
    assert all(task["status"] == "succeeded" for task in tasks)
    return {name.partition("/")[0] for name in printed}


def make_some(system, count):
    tasks = [system.make(document).json() for document in system.documents()[:count]]
    return [system.ended(task["task_id"]) for task in tasks]


def test_two_clusters_share_the_work_and_one_alone_goes_on(system):
    system.prepare()
    system.start_web()
    first, _ = system.start_workers(supervised=False), system.start_workers(supervised=False)
    wait_for(lambda: len(system.clusters()) == 2)
    system.wait_for_workers()
    assert len(workers_of(system, make_some(system, 12))) == 2
    first.kill()
    first.wait()
    assert all(task["status"] == "succeeded" for task in make_some(system, 4))


def test_a_backend_of_somebody_else_works_by_settings_alone(system, tmp_path):
    (tmp_path / "other.py").write_text(OTHER)
    system.prepare()
    system.environment |= {"DJANGO_SETTINGS_MODULE": "other", "PYTHONPATH": str(tmp_path)}
    system.manage("migrate", "--verbosity", "0")
    system.start_web()
    system.start(*MANAGE, "db_worker", "--backend", "queue", "--interval", "0.2")
    system.start(*MANAGE, "run_supervisor", "--workers", "1")
    plan = system.documents(kind="concept_plan")[0]
    answer = wait_for(lambda: (queued := system.make(plan)).status_code == 202 and queued)
    ended = system.ended(answer.json()["task_id"])
    assert (ended["status"], ended["mode"], ended["attempts"]) == ("succeeded", "queue", 1)
