"""Imports by real processes: kill -9 while one writes leaves nothing, the next attempt writes all."""

import csv
import io
import subprocess
import sys

import pytest

from tests.acceptance.system import System

YEARS = range(1990, 2020)
# A worker that stops after it has written all rows, before the transaction ends.
STOPPING_WORKER = """
import os, pathlib, sys, time
import django
django.setup()
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from documents.infrastructure import storage
from documents.queue import lifecycle
from documents.tasks.imports import task as import_task, writer
write = writer.write_rows
def write_and_stop(changes, subject):
    write(changes, subject)
    print("written", flush=True)
    time.sleep(600)
writer.write_rows = write_and_stop
file = SimpleUploadedFile("reports.csv", pathlib.Path(sys.argv[1]).read_bytes())
source, digest = storage.store_upload(file, suffix=".import")
order = import_task.ImportRequest(what="documents", is_dry_run=False, digest=digest, filename=file.name)
task, _ = lifecycle.get_or_create(
    order.as_task_request(source, estimate_seconds=0),
    user=User.objects.get(username="maintainer"), mode="queue",
)
print(task.pk, flush=True)
lifecycle.run(task.pk, deadline=time.monotonic() + 100)
"""
LAPSE = """
from django.utils import timezone
from documents.models import Task
Task.objects.update(lease_until=timezone.now())
"""


@pytest.fixture(
    params=[
        pytest.param("sqlite", marks=pytest.mark.xdist_group("imports-sqlite")),
        pytest.param("postgresql", marks=pytest.mark.xdist_group("imports-postgresql")),
    ]
)
def system(request, tmp_path):
    url = request.getfixturevalue("postgres").new_database() if request.param == "postgresql" else None
    started = System(tmp_path, url, SPMS_MODE="queue")
    started.prepare()
    started.start_web()
    yield started
    started.stop()


def closures(system, text):
    """Return a file with closures of many years for every project of the sample data."""
    projects = system.call("GET", "projects/", params={"page_size": 100}).json()["results"]
    stream = io.StringIO()
    table = csv.writer(stream)
    table.writerow(("tag", "kind", "year", "reason"))
    table.writerows((project["tag"], "project_closure", year, text) for project in projects for year in YEARS)
    return stream.getvalue(), len(projects) * len(YEARS)


def send(system, text):
    form = {"what": "documents", "dry_run": "false"}
    answer = system.call("POST", "imports/", files={"file": ("reports.csv", text)}, data=form)
    assert answer.ok, answer.text
    return system.ended(answer.json()["task_id"])["result"]


def count(system):
    return system.call("GET", "documents/", params={"kind": "project_closure"}).json()["count"]


def test_a_worker_that_is_killed_while_it_writes_leaves_nothing_and_the_next_writes_all(system):
    before = count(system)
    text, rows = closures(system, "<p>The end.</p>")
    (system.folder / "closures.csv").write_text(text)
    environment = system.environment | {"DJANGO_SETTINGS_MODULE": "spms.settings"}
    command = [sys.executable, "-c", STOPPING_WORKER, str(system.folder / "closures.csv")]
    worker = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert worker.stdout
    task_id = worker.stdout.readline().strip()
    assert worker.stdout.readline() == "written\n"
    assert count(system) == before
    worker.kill()
    worker.wait()
    worker.stdout.close()
    assert count(system) == before
    system.manage("shell", "-v", "0", "-c", LAPSE)
    system.start_workers()
    ended = system.ended(task_id)
    assert (ended["status"], ended["attempts"]) == ("succeeded", 2)
    assert ended["result"]["new"] + ended["result"]["changed"] == rows
    assert count(system) == before + ended["result"]["new"]
    again = send(system, text)
    assert (again["new"], again["changed"], again["unchanged"]) == (0, 0, rows)
    changed = send(system, text.replace("The end.", "The very end."))
    assert (changed["new"], changed["changed"], changed["unchanged"]) == (0, rows, 0)
    [document, *_] = system.documents(kind="project_closure", year=2000)
    document = system.call("GET", f"documents/{document['id']}/").json()
    assert (document["sections"]["reason"], document["version"]) == ("<p>The very end.</p>", 2)
    assert "Traceback" not in system.log()
