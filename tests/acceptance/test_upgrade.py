"""Today's code on the database of an older version, in which work of every kind was waiting.

``upgrade/build.py`` says how that database was made: before the modules were moved that its queue names.
"""

import contextlib
import gzip
import json
import sqlite3
from pathlib import Path

import pytest

from tests import mail
from tests.acceptance.system import System
from tests.waiting import wait_for

pytestmark = [
    pytest.mark.xdist_group("upgrade"),
    # A connection to the mail server may be collected between its client's end and its own.
    pytest.mark.filterwarnings("ignore:unclosed <StreamWriter:ResourceWarning"),
]

DUMP = Path(__file__).parent / "upgrade" / "before_the_move.sql.gz"
SETTINGS = {
    "SECRET_KEY": "known to the upgrade test only, and to nobody else",  # it signs the entries of the queue
    "SPMS_ALERT_MAIL": "maintainer@example.org",
    "SPMS_MAILS_PER_MINUTE": "0",
    "SPMS_MODE": "auto",
    "SPMS_PRERENDER_AFTER": "1s",  # no document has changed lately
    "SPMS_PRERENDER_MAX_LOAD": "100",
    "SPMS_TASK_RETENTION": "36500d",  # the rows are old, and the clean-up is due
}
IN_FLIGHT = "SELECT count(*) FROM documents_task WHERE status IN ('queued', 'running', 'retrying')"
TASKS = "SELECT kind, status FROM documents_task ORDER BY kind, status"
ENDED = [
    ("alert", "succeeded"),
    ("cleanup", "succeeded"),
    ("cycle", "succeeded"),
    ("export", "succeeded"),  # of the scheduled report
    *[("notice", "succeeded")] * 3,  # of the failed PDF, of the waiting PDF and of the export
    ("pdf", "failed"),  # it had failed before
    *[("pdf", "succeeded")] * 2,
    ("summary", "succeeded"),
]
REMEMBERED = """
from metrics.evaluation import evaluator
from metrics.models import ModeState
state = ModeState.objects.get()
print(evaluator.switch_state_from(state).mode, *sorted(
    f'{name}={alert.phase}' for name, alert in evaluator.alert_states_from(state).items()))
"""


@pytest.fixture(scope="module")
def inbox():
    with mail.receiving() as inbox:
        yield inbox


@pytest.fixture(scope="module")
def system(inbox, tmp_path_factory):
    """A system of the older version, migrated, after a cluster of today has done what waited and what was due."""
    folder = tmp_path_factory.mktemp("system")
    with contextlib.closing(sqlite3.connect(folder / "spms.sqlite3")) as connection:
        connection.executescript(gzip.decompress(DUMP.read_bytes()).decode())
    system = System(folder, EMAIL_URL=inbox.url, **SETTINGS)
    try:
        system.manage("migrate", "--verbosity", "0")
        system.start_workers()
        wait_for(lambda: has_ended(system), 600)
        yield system
    finally:
        system.stop()


def has_ended(system):
    [(unfinished,)] = rows(system, IN_FLIGHT)
    return unfinished == 0 and len(rows(system, TASKS)) >= len(ENDED)


def rows(system, statement):
    with contextlib.closing(sqlite3.connect(system.folder / "spms.sqlite3")) as connection:
        return connection.execute(statement).fetchall()


def test_the_new_version_does_everything_that_waited(system):
    assert rows(system, TASKS) == ENDED
    assert rows(system, "SELECT DISTINCT state FROM documents_letter") == [("sent",)]
    assert rows(system, "SELECT * FROM documents_prerender") == []
    assert "Traceback" not in system.log()


def test_each_message_is_sent_once(system, inbox):
    assert sorted(inbox.receivers) == [
        "board@example.org",  # the scheduled report
        "lead@example.org",  # a letter of the cycle, and the ends of two PDFs
        "lead@example.org",
        "lead@example.org",
        "maintainer@example.org",  # the alert, and the summary of the week
        "maintainer@example.org",
        "scientist@example.org",  # a letter of the cycle
    ]


def test_schedules_of_the_old_version_go_on(system):
    schedules = "SELECT kind, cron, next_run_at > datetime('now') FROM documents_periodictask ORDER BY kind"
    assert rows(system, schedules) == [("cleanup", "0 20 * * *", 1), ("summary", "0 20 * * 0", 1)]
    assert rows(system, "SELECT name FROM django_q_schedule") == []
    reports = "SELECT last_problem, next_run_at > datetime('now') FROM documents_scheduledreport"
    assert rows(system, reports) == [("", 1)]
    assert rows(system, "SELECT func FROM django_q_task WHERE NOT success") == []


def test_the_evaluator_remembers_what_the_old_version_knew(system):
    remembered = system.manage("shell", "-v", "0", "-c", REMEMBERED)
    assert remembered.stdout.startswith("queue ")
    assert "p95_response_time=firing" in remembered.stdout
    evaluated = system.manage("evaluate_thresholds", "--json")
    assert json.loads(evaluated.stdout)["thresholds"]
    for command in (remembered, evaluated):
        assert "cannot be read" not in command.stderr


@pytest.mark.parametrize(
    "table",
    ["documents_task", "documents_notice", "documents_letter", "documents_periodictask", "metrics_modestate"],
)
def test_a_backup_of_an_upgraded_system_is_restored(table, system, restored):
    statement = f"SELECT * FROM {table} ORDER BY 1"
    assert rows(restored, statement) == rows(system, statement)


@pytest.fixture(scope="module")
def restored(system, tmp_path_factory):
    folder = tmp_path_factory.mktemp("restored")
    system.manage("backup")
    [archive] = (system.folder / "backups").glob("*.tar")
    restored = System(folder, **SETTINGS)
    restored.manage("restore", str(archive))
    return restored
