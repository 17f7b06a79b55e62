"""What all tests share: the three people that every endpoint is tried with, and clients for them."""

import os

import pytest
from rest_framework.test import APIClient

from documents.queue import failure_groups, statistics, thread_shares
from documents.rendering import pool
from metrics import flag
from metrics.collection import activity
from metrics.dashboard import context
from tests import factories


@pytest.fixture(scope="session", autouse=True)
def _end_children():
    yield
    pool.close_pool()


@pytest.fixture(autouse=True)
def _forget_what_was_known():
    statistics.mean_service_seconds.cache_clear()
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
        "--engines", choices=("usual", "all"), default="usual", help="all: test_chaos.py over RabbitMQ, too"
    )
    parser.addoption("--chaos-seconds", type=float, default=40.0, help="how long test_chaos.py kills")
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
    parser.addoption("--fuzz-seed", type=int, help="call as in the run that printed this")


# Groups that take long, the longest first: whatever begins last should be short.
LONG_GROUPS = (
    "test_chaos",
    "hosts",
    "queue-rabbitmq",
    "queue-redis",
    "queue-postgresql",
    "queue-sqlite",
    "pages",
    "api contract",
    "api links",
    "upgrade",
    "test_replay",
    "test_sample_data",
    "test_import_sheets",
    "backup-sqlite",
    "backup-postgresql",
    "switch",
    "dashboard",
    "cycles",
    "s3",
    "browser-cycles",
    "events",
    "imports-postgresql",
    "imports-sqlite",
    "test_engines",
    "running",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Begin with what takes long, whatever order pytest-django wants; processes take group after group."""
    ranks = {name: rank for rank, name in enumerate(LONG_GROUPS)}

    def rank_of(item):
        marker = item.get_closest_marker("xdist_group")
        name = marker.args[0] if marker else item.path.stem
        return ranks.get(name, len(ranks))

    items.sort(key=rank_of)


def pytest_xdist_auto_num_workers():
    """One more than there are processors: much of a test with real processes is waiting."""
    return (os.cpu_count() or 1) + 1


def pytest_terminal_summary(terminalreporter):
    """Show the counts of the chaos test, whichever process ran it."""
    for report in [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]:
        for name, value in report.user_properties:
            if report.when == "call":
                terminalreporter.write_line(f"{name}: {value}")
