"""What many tests share: clients of staff, active projects, servers of mail and webhooks, a queue, its workers."""

from datetime import timedelta
from types import SimpleNamespace

import pytest

from documents.api import throttling
from documents.models import Cluster
from documents.tasks.images import guard
from metrics.collection import web_processes
from tests import factories, mail, prerendering
from tests.receiver import HOST, KEY, receiving


@pytest.fixture(autouse=True)
def _nothing_ends_because_the_machine_is_busy(monkeypatch, settings):
    """Give all work the time that a busy machine may need; tests of a bound set it themselves."""
    settings.SPMS_INLINE_DEADLINE = 300.0
    monkeypatch.setattr(Cluster, "FRESH", timedelta(hours=1))
    monkeypatch.setattr(guard, "MAX_START_SECONDS", 300.0)
    monkeypatch.setattr(guard, "MAX_WAIT_SECONDS", 300.0)
    monkeypatch.setattr(web_processes, "STOP_SECONDS", 120.0)


@pytest.fixture
def same_window(monkeypatch):
    """Have all requests of a test count in the same window of the throttles."""
    monkeypatch.setattr(throttling, "time", SimpleNamespace(time=lambda: 1_000_000.0))


@pytest.fixture
def staff(client_of, maintainer):
    """A client of the API for a member of staff."""
    return client_of(maintainer)


@pytest.fixture
def staff_pages(client, maintainer):
    """A client of the pages for a member of staff."""
    client.force_login(maintainer)
    return client


@pytest.fixture
def projects(owner, member):
    """Two active projects of two people, and one that has ended with a person of its own."""
    return (
        factories.project(owner, member, status="active", title="Seagrass"),
        factories.project(owner, status="updating", kind="student", title="Turtles"),
        factories.project(factories.user("former"), status="completed"),
    )


@pytest.fixture
def inbox(settings):
    """Have mail sent to a real server."""
    settings.SPMS_MAILS_PER_MINUTE = 0
    with mail.receiving() as receiver:
        options = {"host": mail.HOST, "port": receiver.port, "timeout": 120}
        backend = "django.core.mail.backends.smtp.EmailBackend"
        settings.MAILERS = {"default": {"BACKEND": backend, "OPTIONS": options}}
        yield receiver


@pytest.fixture
def cluster(db):
    """Workers that are alive, as far as anybody can see."""
    return Cluster.objects.create(name="host:1:a", workers=2)


@pytest.fixture
def idle_host(settings, cluster):
    """Have workers wait for work on a machine on which it does not matter who else computes."""
    settings.SPMS_MODE = "auto"
    settings.SPMS_PRERENDER_MAX_LOAD = 100
    settings.SPMS_RENDER_SLOTS = 2


@pytest.fixture
def changed_plan(api, plan):
    """The plan after its author changed it and left it alone."""
    return prerendering.change(api, plan, "first")


@pytest.fixture
def queued(settings, cluster):
    """Have work queued; a test runs it with ``turn`` or ``run_entries``."""
    settings.SPMS_MODE = "queue"


@pytest.fixture
def receiver(settings):
    """A server that webhooks may be sent to."""
    settings.SPMS_WEBHOOK_HOSTS = [HOST]
    settings.SPMS_WEBHOOK_SECRET = f"whsec_{KEY}"
    settings.SPMS_WEBHOOK_ALLOW_PRIVATE = True
    with receiving() as server:
        yield server
