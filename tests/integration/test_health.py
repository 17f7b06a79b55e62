"""Health: what is checked has a name, and what is wrong is said."""

import contextlib
import os
import subprocess

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from documents.models import Cluster

CHECKS = {"database", "migrations", "disk", "workers"}


def ready(client, **query):
    answer = client.get("/healthz/ready", query)
    return answer.status_code, answer.json()["checks"]


def test_a_process_that_answers_is_alive(client):
    assert client.get("/healthz/live").json() == {"status": "ok"}


def test_every_check_is_named(client, db):
    assert ready(client) == (200, dict.fromkeys(CHECKS, "ok"))


def test_a_folder_that_cannot_be_written_is_named(client, db, settings):
    settings.SPMS_DATA_DIR = "/proc/nowhere"
    answer = client.get("/healthz/ready")
    assert answer.status_code == 503
    assert answer["Content-Type"] == "application/problem+json"
    assert "SPMS_DATA_DIR cannot be written" in answer.json()["detail"]


def test_a_migration_that_is_missing_is_named(client, db):
    MigrationRecorder(connection).record_unapplied("documents", "0002_queue")
    assert ready(client)[0] == 200  # a later one is there, so it only looks different
    newest = MigrationRecorder.Migration.objects.filter(app="documents").latest("id").name
    MigrationRecorder(connection).record_unapplied("documents", newest)
    status, checks = ready(client)
    assert (status, checks["migrations"]) == (503, f"documents.{newest} not applied, run: spms migrate")


def test_queue_mode_needs_a_worker(client, db, settings):
    settings.SPMS_MODE = "queue"
    status, checks = ready(client)
    assert status == 503
    assert "no worker is alive" in checks["workers"]
    assert ready(client, skip="workers") == (200, dict.fromkeys(CHECKS - {"workers"}, "ok"))
    Cluster.objects.create(name="host:1", workers=1)
    assert ready(client) == (200, dict.fromkeys(CHECKS, "ok"))


def test_a_database_that_only_reads_is_not_ready(client, db):
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = ON")
    try:
        status, checks = ready(client)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA query_only = OFF")
    assert status == 503
    assert "it does not accept writes" in checks["database"]


def test_what_readiness_writes_is_not_kept(client, db):
    assert ready(client)[0] == 200
    assert not Session.objects.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_is_not_ready(client, db, settings, tmp_path):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=66m", "tmpfs", tmp_path], check=True)
    try:
        settings.SPMS_DATA_DIR = tmp_path
        assert ready(client)[1]["disk"] == "ok"
        (tmp_path / "half").write_bytes(bytes(3 * 2**20))
        assert ready(client)[1]["disk"] == "only 63 MB are free"
        with contextlib.suppress(OSError), (tmp_path / "rest").open("wb") as stream:
            while True:
                stream.write(bytes(2**20))
        status, checks = ready(client)
        assert (status, checks["disk"]) == (503, "SPMS_DATA_DIR cannot be written (No space left on device)")
    finally:
        subprocess.run(["umount", tmp_path], check=True)
