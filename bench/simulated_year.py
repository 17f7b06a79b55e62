"""``python -m bench.simulated_year DAYS``: fill a database day by day, and print the sizes of its tables.

Each day's rows are copies of rows that a running system wrote; each night, the clean-up and the thinning of the
evaluator run with the clock of that night.
"""

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import django
from django.db import connection
from django.db.models import Model

PDFS_A_DAY = 1_000
CHANGES_A_DAY, SIGN_INS_A_DAY, FAILURES_A_DAY = 2_000, 500, 20
EVALUATION_SECONDS, SNAPSHOT_SECONDS = 15, 900  # snapshots as they are after an hour
RANDOM_HASH = "md5(random()::text) || md5(random()::text)"
TABLES = {
    "tasks": "documents_task",
    "failed attempts with their tracebacks": "documents_failure",
    "history of documents": "documents_documentchange",
    "evaluations": "metrics_evaluation",
    "snapshots of one host": "metrics_snapshot",
    "sessions": "django_session",
}


def main() -> None:
    """Simulate the days and print the sizes."""
    django.setup()
    from documents.tasks import maintenance
    from metrics.evaluation import evaluator

    templates = _make_templates()
    days = int(sys.argv[1])
    first = datetime.now(UTC) - timedelta(days=days)
    for day in range(days):
        begin = first + timedelta(days=day)
        _add_day(begin, templates)
        night = begin + timedelta(days=1)
        with mock.patch("django.utils.timezone.now", return_value=night):
            begun_at = time.monotonic()
            maintenance.remove_rows()
            maintenance.remove_sign_ins()
            took = time.monotonic() - begun_at
        evaluator.prune(night.timestamp())
        with connection.cursor() as cursor:  # autovacuum looks once a minute of real time
            cursor.execute(f"VACUUM {', '.join(TABLES.values())}")
    print(json.dumps({**_sizes(), "clean_up_seconds": took}))


def _make_templates() -> dict[str, Model]:
    """Return a row of each table as a system writes it, by the name of the table."""
    from django.contrib.auth.models import User
    from django.contrib.sessions.models import Session

    from bench import data
    from documents.models import DocumentChange, Task
    from metrics.collection import sources
    from metrics.evaluation import evaluator
    from metrics.models import Evaluation, Snapshot

    evaluator.tick(sources.SnapshotSource())
    evaluation = Evaluation.objects.latest("at")
    evaluation.values = {name: [1.234, 2.345] for name in evaluation.values}
    evaluation.save()
    task = Task.objects.filter(kind="pdf", status="succeeded").latest("finished_at")
    assert task.document_id is not None
    error = {"title": "An image is broken", "detail": "x" * 100}
    change = {"version": 2, "by": "person-1", "changed": ["sections.background"]}
    rows = (
        task,
        task.failures.create(attempt=1, error=error, traceback="x" * 3000),
        DocumentChange.objects.create(document_id=task.document_id, **change),
        evaluation,
        Snapshot.objects.latest("at"),
        Session.objects.get(pk=data.session(User.objects.get(username="bench"))),
    )
    return {row._meta.db_table: row for row in rows}


def _add_day(begin: datetime, templates: dict[str, Model]) -> None:
    """Copy the templates, spread over a day."""
    documents = "(SELECT min(id) FROM documents_document) + n %% (SELECT count(*) FROM documents_document)"
    day = f"timestamptz '{begin:%Y-%m-%d %H:%M:%S}+00'"
    failed = (
        f"(SELECT id FROM documents_task WHERE created_at BETWEEN {day} AND {day} + interval '1 day' LIMIT 1)"
    )
    for name, count, values in (
        (
            "documents_task",
            PDFS_A_DAY,
            {"id": "gen_random_uuid()", "document_id": documents, "fingerprint": RANDOM_HASH}
            | dict.fromkeys(("created_at", "started_at", "finished_at", "claimable_at"), "{at}"),
        ),
        ("documents_failure", FAILURES_A_DAY, {"at": "{at}", "task_id": failed}),
        ("documents_documentchange", CHANGES_A_DAY, {"at": "{at}", "document_id": documents}),
        ("metrics_evaluation", 86_400 // EVALUATION_SECONDS, {"at": "{at}"}),
        ("metrics_snapshot", 86_400 // SNAPSHOT_SECONDS, {"at": "{at}"}),
        (
            "django_session",
            SIGN_INS_A_DAY,
            {"session_key": "md5(random()::text)", "expire_date": "{at} + interval '14 days'"},
        ),
    ):
        _copy(templates[name], count, values, begin)


def _copy(template: Model, count: int, values: dict[str, str], begin: datetime) -> None:
    """Insert copies of a row with other values (SQL in which ``n`` counts, and ``{at}`` is the copy's time)."""
    columns = [
        field.attname for field in template._meta.concrete_fields if field.attname != "id" or "id" in values
    ]
    at = f"(timestamptz '{begin:%Y-%m-%d %H:%M:%S}+00' + n * interval '{86_400 / count} seconds')"
    taken = ", ".join(values.get(column, f'template."{column}"').replace("{at}", at) for column in columns)
    table, key = template._meta.db_table, template._meta.pk
    assert key is not None
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(f'"{column}"' for column in columns)}) SELECT {taken}"
            f' FROM (SELECT * FROM {table} WHERE "{key.column}" = %s) template, generate_series(0, {count - 1}) n',
            [template.pk],
        )


def _sizes() -> dict[str, Any]:
    """Return the bytes of tables with their indexes, and their rows, by the names of ``TABLES``."""
    sizes, rows = {}, {}
    with connection.cursor() as cursor:
        for name, table in TABLES.items():
            cursor.execute(f"SELECT pg_total_relation_size('{table}'), (SELECT count(*) FROM {table})")
            sizes[name], rows[name] = cursor.fetchone()
        cursor.execute("SELECT pg_database_size(current_database())")
        [total] = cursor.fetchone()
    sizes["documents, people and the rest"] = total - sum(sizes.values())
    return {"bytes": sizes | {"the database": total}, "rows": rows}


if __name__ == "__main__":
    main()
