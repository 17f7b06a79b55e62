"""Health: what is checked has a name, and what is wrong is said."""

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
