"""Build ``before_the_move.sql.gz``: the database of commit 2880a7e, with work of every kind waiting.

Run it in a checkout of that commit, whose modules it imports::

    git worktree add /tmp/before 2880a7e && cd /tmp/before
    export SECRET_KEY="known to the upgrade test only, and to nobody else"
    export SPMS_DATA_DIR=/tmp/data SPMS_MODE=auto DJANGO_SETTINGS_MODULE=spms.settings PYTHONPATH=.
    python …/upgrade/build.py …/upgrade/before_the_move.sql.gz
"""

# mypy: ignore-errors
# ruff: noqa: E402, I001

import datetime
import gzip
import sys
from pathlib import Path

import django

django.setup()

from django.apps import apps
from django.contrib.auth.models import AnonymousUser, User
from django.core.management import call_command
from django.db import connection, models
from django_q.models import OrmQ

from documents import alerts, notices, pdf, queue, schedules, tasks
from documents.cycles import texts
from documents.models import BusinessArea, Cycle, Document, Letter, Membership, Notice, Project
from documents.models import ScheduledReport, Task
from metrics.models import ModeChange, ModeState

# Long ago on every machine that runs the test: everything that waits is due.
BUILT_AT = datetime.datetime(2025, 6, 1, 12, tzinfo=datetime.UTC)
ERROR = {"title": "The worker ended before the task did", "detail": "Its worker ended."}


def build():
    """Fill the database through the functions of that time."""
    maintainer = create_user("maintainer", is_staff=True, is_superuser=True)
    lead, scientist = create_user("lead"), create_user("scientist")
    area = BusinessArea.objects.create(name="Marine Science", leader=lead)
    plans = [create_plan(number, area, lead) for number in range(1, 4)]
    add_pdfs(plans, lead)
    add_cycle(maintainer, waiting=[lead, scientist])
    ScheduledReport.objects.create(
        name="Every plan",
        owner=maintainer,
        kind="export",
        arguments={"what": "documents", "format": "csv", "filters": {"kind": "concept_plan"}},
        receivers=["board@example.org"],
        cron="0 6 * * 1",
        next_run_at=BUILT_AT,
    )
    schedules.ensure()
    add_mode()
    set_times()
    ModeState.objects.update(lease_until=None, holder="")
    User.objects.update(password="!")  # nobody signs in


def create_user(name, **values):
    return User.objects.create_user(name, f"{name}@example.org", **values)


def create_plan(number, area, lead):
    tag = f"SP-2025-{number:03d}"
    project = Project.objects.create(
        title=f"Seagrass of bay {number}", tag=tag, year=2025, status="active", business_area=area
    )
    Membership.objects.create(project=project, user=lead, role=Membership.Role.LEAD)
    sections = {"background": "<p>Seagrass meadows are nurseries.</p>", "aims": "<p>Map them.</p>"}
    return Document.objects.create(project=project, kind="concept_plan", year=2025, sections=sections)


def enqueue(**values):
    values = {"document": None, "user": AnonymousUser(), "mode": Task.Mode.QUEUE} | values
    task, _ = tasks.begin(**values)
    queue.enqueue(task)
    return task


def add_pdfs(plans, lead):
    """Add a PDF that waits, one between two attempts, and a failed one whose end is still to be told."""
    waiting, retrying, failed = (
        enqueue(kind=pdf.KIND, fingerprint=pdf.fingerprint(plan), document=plan, user=lead) for plan in plans
    )
    OrmQ.objects.exclude(pk=OrmQ.objects.order_by("pk")[0].pk).delete()  # those two had been taken
    Task.objects.filter(pk=retrying.pk).update(status="retrying", attempts=1, error=ERROR, hinted_at=None)
    Task.objects.filter(pk=failed.pk).update(
        status="failed", attempts=4, error=ERROR, started_at=BUILT_AT, finished_at=BUILT_AT
    )
    notice = {"channel": "mail", "target": lead.email, "requested_by": lead}
    Notice.objects.create(task=waiting, **notice)
    notices.send(Notice.objects.create(task=failed, **notice))


def add_cycle(maintainer, *, waiting):
    """Add a cycle whose letters a waiting task is to send, one of them sent before."""
    Cycle.objects.create(
        year=2025,
        due=datetime.date(2025, 7, 31),
        subject=texts.SUBJECT,
        text=texts.TEXT,
        opened_by=maintainer,
        prepared_at=BUILT_AT,
        task=enqueue(kind="cycle", fingerprint="cycle 2025", arguments={"year": 2025}, user=maintainer),
    )
    for person in (maintainer, *waiting):
        Letter.objects.create(
            cycle=Cycle.objects.get(),
            person=person,
            address=person.email,
            projects=["SP-2025-001 Seagrass of bay 1"],
            message_id=f"<2025-{person.pk}@example.org>",
            state="waiting" if person in waiting else "sent",
        )


def add_mode():
    """Evaluate once, and go on as if a limit had been crossed; an alert of it waits."""
    call_command("evaluate_thresholds")
    state, moment = ModeState.objects.get(), BUILT_AT.timestamp()
    for memory in state.memories.values():
        times = [name for name, value in memory.items() if name.endswith(("since", "_at")) and value]
        memory.update(dict.fromkeys(times, moment))
    state.memories["p95_response_time"].update(phase="firing", crossed_since=moment)
    state.course.update(mode="queue", since=moment)
    state.mode, state.reason = "queue", "queue, because of p95 response time"
    state.save()
    change = ModeChange.objects.create(
        before="inline", after="queue", setting="auto", actor="evaluator", reason=state.reason
    )
    enqueue(kind=alerts.KIND, fingerprint=f"mail mode {change.pk}")


def set_times():
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, models.DateTimeField):
                rows = model._default_manager.exclude(**{field.name: None})
                rows.update(**{field.name: BUILT_AT})


def dump(path):
    """Write the database as SQL; nothing in the archive depends on the time."""
    text = "\n".join(connection.connection.iterdump())
    with path.open("wb") as file, gzip.GzipFile("", "wb", mtime=0, fileobj=file) as archive:
        archive.write(text.encode())


call_command("migrate", verbosity=0)
build()
dump(Path(sys.argv[1]))
