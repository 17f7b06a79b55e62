"""A further kind of task: its handler, its arguments, its file, and work that goes on in several steps."""

import hashlib
import pkgutil
import sys
from datetime import timedelta

import pytest
from django.utils import timezone

from documents import tasks
from documents.infrastructure import storage
from documents.models import Cluster, Task, tasks as task_models
from documents.queue import clusters, hints, lifecycle, registry, routing
from documents.queue.requests import TaskRequest
from documents.tasks import maintenance
from tests import factories
from tests.working import run_entries

pytestmark = pytest.mark.django_db(transaction=True)
STEPS = 3


@pytest.fixture(autouse=True)
def _counting(monkeypatch):
    """Register a kind that counts to three, one a step, and then writes down what it was asked for."""
    monkeypatch.setattr(registry, "_task_types", dict(registry._task_types))
    registry.register(registry.TaskType(name="count", title="Count", run=count))
    monkeypatch.setattr(task_models, "PERSONAL_KINDS", ("count",))


def count(attempt):
    done = attempt.task.arguments.get("done", 0) + 1
    arguments = attempt.task.arguments | {"done": done}
    Task.objects.filter(pk=attempt.task.pk).update(arguments=arguments)
    if done < STEPS:
        raise registry.Reschedule(attempt.task.arguments.get("pause", 0))
    text = f"{attempt.task.arguments['word']} {done}\n".encode()
    with storage.workspace() as folder:
        (folder / "count.txt").write_bytes(text)
        name = storage.save(folder / "count.txt", suffix=".txt")
    file = registry.StoredFile(
        name=name,
        digest=hashlib.sha256(text).hexdigest(),
        size_bytes=len(text),
        filename="Zählung.txt",
        media_type="text/plain; charset=utf-8",
    )
    return registry.TaskOutput(file=file, fingerprint=attempt.task.fingerprint, metadata={"steps": STEPS})


def make(owner, **arguments):
    request = TaskRequest(kind="count", fingerprint=str(arguments), arguments=arguments)
    return routing.submit(request, user=owner, preferences=routing.Preferences())[0]


def test_steps_of_an_inline_task_are_taken_in_the_request(owner, api):
    task = make(owner, word="turtles")
    assert (task.status, task.mode, task.attempts, task.arguments["done"]) == ("succeeded", "inline", 1, 3)
    assert task.result == {
        "bytes": 10,
        "filename": "Zählung.txt",
        "media_type": "text/plain; charset=utf-8",
        "steps": 3,
    }
    answer = api.get(f"/api/v1/tasks/{task.pk}/")
    assert answer.data["result"]["url"] == f"/api/v1/tasks/{task.pk}/file/"
    sent = api.get(answer.data["result"]["url"])
    assert b"".join(sent.streaming_content) == b"turtles 3\n"
    assert sent["Content-Type"] == "text/plain; charset=utf-8"
    assert sent["Content-Disposition"] == "attachment; filename*=utf-8''Z%C3%A4hlung.txt"


def test_between_steps_a_task_waits_in_the_queue_and_counts_no_attempt(owner, settings):
    settings.SPMS_MODE = "queue"
    Cluster.objects.create(name="host:1:a", workers=1)
    task = make(owner, word="turtles", pause=0)
    for done in range(1, STEPS):
        run_entries()
        task.refresh_from_db()
        assert (task.status, task.attempts, task.arguments["done"]) == ("queued", 0, done)
        assert hints.recover()
    run_entries()
    task.refresh_from_db()
    assert (task.status, task.attempts) == ("succeeded", 1)


def test_a_task_that_waits_for_something_is_not_taken_before_its_time(owner, settings):
    settings.SPMS_MODE = "queue"
    Cluster.objects.create(name="host:1:a", workers=1)
    task = make(owner, word="turtles", pause=30)
    run_entries()
    hints.recover()
    run_entries()
    task.refresh_from_db()
    assert task.arguments["done"] == 1
    Task.objects.filter(pk=task.pk).update(claimable_at=timezone.now() - timedelta(seconds=1))
    hints.recover()
    run_entries()
    task.refresh_from_db()
    assert task.arguments["done"] == 2


def test_a_step_that_waits_can_be_cancelled(owner, settings, api):
    settings.SPMS_MODE = "queue"
    Cluster.objects.create(name="host:1:a", workers=1)
    task = make(owner, word="turtles", pause=30)
    run_entries()
    assert api.post(f"/api/v1/tasks/{task.pk}/cancel/").data["status"] == "cancelled"


def test_without_a_file_there_is_a_problem_that_says_so(owner, api):
    task = Task.objects.create(kind="count", fingerprint="x", requested_by=owner, status="failed")
    answer = api.get(f"/api/v1/tasks/{task.pk}/file/")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:spms:problem:file-missing")


def test_the_file_is_for_who_asked_for_it_only(owner, stranger, maintainer, client_of):
    task = make(owner, word="turtles")
    assert client_of(stranger).get(f"/api/v1/tasks/{task.pk}/file/").status_code == 404
    sent = client_of(maintainer).get(f"/api/v1/tasks/{task.pk}/file/")
    assert sent.status_code == 200
    sent.close()


def test_the_nightly_removal_keeps_files_that_go_into_a_task(owner, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(maintenance, "UNFINISHED", timedelta())
    names = []
    for word in ("kept", "lost"):
        (tmp_path / word).write_text(word)
        names.append(storage.save(tmp_path / word, suffix=".csv"))
    lifecycle.get_or_create(TaskRequest(kind="count", fingerprint="y", source=names[0]), user=owner)
    maintenance.remove_files(storage.results(), ((Task, "file"), (Task, "source")))
    assert [storage.exists(name) for name in names] == [True, False]


def test_a_kind_that_nobody_registered_is_its_own_title():
    assert (registry.title_of("count"), registry.title_of("other")) == ("Count", "other")


KIND_MODULE = """
from documents.queue import registry
registry.register(registry.TaskType(name="survey", title="survey", run=print, progress_unit="answers"))
"""


def test_a_new_folder_is_a_new_kind(tmp_path, monkeypatch):
    (tmp_path / "surveys").mkdir()
    (tmp_path / "surveys" / "__init__.py").write_text("")
    (tmp_path / "surveys" / "task.py").write_text(KIND_MODULE)
    monkeypatch.setattr(tasks, "__path__", [str(tmp_path)])
    assert registry.progress_unit_of("survey") == "done"
    tasks.autodiscover()
    assert registry.progress_unit_of("survey") == "answers"
    for name in ("documents.tasks.surveys", "documents.tasks.surveys.task"):
        del sys.modules[name]


def test_the_kinds_of_every_folder_are_found_when_the_app_is_ready():
    homes = [task_type.run.__module__.split(".") for task_type in registry._task_types.values()]
    found = {home[2] for home in homes if home[:2] == ["documents", "tasks"]}
    assert found == {module.name for module in pkgutil.iter_modules(tasks.__path__)}


def test_stored_tasks_name_kinds_that_are_still_registered():
    stored = {"pdf", "image", "import", "export", "cycle", "notice", "alert", "cleanup", "summary"}
    assert stored <= {*registry._task_types}


def test_editions_of_an_annual_report_are_files_of_their_own(maintainer, client_of):
    report = factories.document(kind="annual_report")
    areas = [factories.project().business_area for _ in range(2)]
    for area, name in zip(areas, ("Marine", "Plants"), strict=True):
        type(area).objects.filter(pk=area.pk).update(division=name)
    client, url = client_of(maintainer), f"/api/v1/documents/{report.pk}/pdf/"
    answer = client.post(f"{url}?division=Marine&reports=all")
    assert answer.status_code == 201
    assert client.get(url).status_code == 404
    sent = client.get(f"{url}?division=Marine&reports=all")
    assert "(all, Marine).pdf" in sent["Content-Disposition"]
    sent.close()
    assert client.post(f"{url}?division=Marine&reports=all").status_code == 200


@pytest.mark.parametrize(
    ("query", "said"),
    [("division=Moon", "divisions are: none"), ("reports=some", "approved or all")],
)
def test_an_edition_that_there_is_not_is_refused(maintainer, client_of, query, said):
    report = factories.document(kind="annual_report")
    answer = client_of(maintainer).post(f"/api/v1/documents/{report.pk}/pdf/?{query}")
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:spms:problem:edition-unknown")
    assert said in answer.json()["detail"]


def test_only_an_annual_report_has_editions(api, plan):
    answer = api.post(f"/api/v1/documents/{plan.pk}/pdf/?reports=all")
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:spms:problem:edition-unknown")


def test_a_cluster_whose_work_is_done_in_short_steps_is_not_taken_for_stalled(owner, settings):
    settings.SPMS_MODE = "queue"
    Cluster.objects.create(name="host:1:a", workers=1)
    make(owner, word="turtles", pause=0)
    run_entries()
    watchdog = clusters.Watchdog(clusters.worker_name().rpartition("/")[0])
    assert watchdog._is_work_waiting()
    assert watchdog._is_working()
    Task.objects.update(claimable_at=timezone.now() - clusters.STALLED)
    assert not watchdog._is_working()
