"""What all tests share: the three people that every endpoint is tried with, and clients for them."""

import os

import pytest
from django.test import TransactionTestCase
from hypothesis import HealthCheck, settings as hypothesis_settings
from prometheus_client import values
from prometheus_client.metrics import MetricWrapperBase
from rest_framework.test import APIClient

from documents.queue import failure_groups, other_hosts, states, statistics, thread_shares
from documents.rendering import pool
from metrics import flag, instruments, middleware
from metrics.collection import activity, process_slots
from metrics.dashboard import context
from tests import factories
from tests.rows import delete_rows

# How long an example takes tells of the machine and its other work, not of the code.
hypothesis_settings.register_profile(
    "any machine", hypothesis_settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("any machine")


@pytest.fixture(scope="session", autouse=True)
def _end_children():
    yield
    pool.close_pool()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup):
    """Keep what migrations made when a test with transactions has its rows deleted.

    Django makes content types and permissions anew after each of these tests, which takes longer than most of them.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _: delete_rows())
        yield


@pytest.fixture(scope="module", autouse=True)
def _count_from_zero():
    """Forget the counts of other modules.

    The tests ask at more addresses, with more answers, than any installation: each reading of all counts took seconds.
    """
    for path in process_slots.folder().glob("*.db"):
        path.unlink()
    values.ValueClass = values.MultiProcessValue(process_identifier=process_slots.slot_name)
    instruments._render_seconds.cache_clear()
    middleware._timer.cache_clear()
    for metric in vars(instruments).values():
        if isinstance(metric, MetricWrapperBase):
            if metric._labelnames:
                metric._metrics.clear()
            else:
                metric._metric_init()


@pytest.fixture(autouse=True)
def _forget_what_was_known():
    statistics.mean_service_seconds.cache_clear()
    statistics.mean_work_seconds.cache_clear()
    statistics.current_line.cache_clear()
    statistics.workers_here_and_elsewhere.cache_clear()
    other_hosts._relative_duration.cache_clear()
    states.reader.cache_clear()
    thread_shares.clear_caches()
    failure_groups.clear_cache()
    flag.forget()
    activity.clear_cache()
    context.clear_caches()


@pytest.fixture
def owner(db):
    return factories.user("owner")


@pytest.fixture
def member(db):
    return factories.user("member")


@pytest.fixture
def stranger(db):
    return factories.user("stranger")


@pytest.fixture
def maintainer(db):
    return factories.staff()


@pytest.fixture
def client_of():
    def client_of(user):
        client = APIClient()
        client.force_authenticate(user)
        return client

    return client_of


@pytest.fixture
def api(client_of, owner):
    return client_of(owner)


@pytest.fixture
def plan(owner, member):
    """A concept plan of two people."""
    sections = {"background": "<p>Seagrass meadows are nurseries.</p>", "aims": "<p>Map them.</p>"}
    return factories.document(owner, member, sections=sections)


def pytest_addoption(parser):
    parser.addoption(
        "--engines",
        choices=("usual", "all"),
        default="usual",
        help="all: test_chaos.py over RabbitMQ, all of test_queue.py on PostgreSQL and RabbitMQ, too",
    )
    parser.addoption("--chaos-seconds", type=float, default=20.0, help="how long test_chaos.py kills")
    parser.addoption(
        "--chaos-seed",
        type=int,
        help="kill and ask as in the run that printed this; without it, as never before",
    )
    parser.addoption(
        "--contract-examples", type=int, default=5, help="requests of each operation in test_api_contract.py"
    )
    parser.addoption(
        "--fuzz-seconds",
        type=float,
        default=0.0,
        help="how long test_fuzz.py calls; once everywhere in any case",
    )
    parser.addoption(
        "--azurite",
        help="test_azure.py: the folder in which `npm install azurite` was run; without it, skipped",
    )
    parser.addoption("--fuzz-seed", type=int, help="call as in the run that printed this")


# Groups that take long, the longest first: whatever begins last should be short.
LONG_GROUPS = (
    "chaos-redis",
    "chaos-database",
    "test_demo",
    "hosts",
    "queue-redis",
    "queue-sqlite",
    "pages",
    "fuzz",
    "api contract",
    "test_annual_report_faults",
    "test_rendering_process",
    "test_hostile_html",
    "test_every_endpoint",
    "test_pdf_standards",
    "queue-rabbitmq",
    "queue-postgresql",
    "queue",
    "upgrade",
    "api links",
    "test_failover",
    "test_replay",
    "backup-sqlite",
    "backup-postgresql",
    "test_annual_report",
    "switch",
    "dashboard",
    "cycles",
    "s3",
    "browser-cycles",
    "events",
    "imports-postgresql",
    "imports-sqlite",
    "test_engines",
    "test_digits",
    "prerendering",
    "test_tls",
    "test_pooler",
    "test_command",
    "running",
)


def pytest_itemcollected(item):
    """Keep the tests of a file in one process, unless they name a group: others would start its systems again."""
    if item.get_closest_marker("xdist_group") is None:
        item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Begin with what takes long, whatever order pytest-django wants; processes take group after group."""
    ranks = {name: rank for rank, name in enumerate(LONG_GROUPS)}
    items.sort(key=lambda item: ranks.get(item.get_closest_marker("xdist_group").args[0], len(ranks)))


def pytest_xdist_auto_num_workers():
    """One more than there are processors: much of a test with real processes is waiting."""
    return (os.cpu_count() or 1) + 1


def pytest_terminal_summary(terminalreporter):
    """Show the counts of the chaos test, whichever process ran it."""
    for report in [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]:
        for name, value in report.user_properties:
            if report.when == "call":
                terminalreporter.write_line(f"{name}: {value}")
