"""What tests of cycles share: active projects, a mail server, a queue whose tasks the test runs itself."""

import pytest

from documents.models import Cluster
from tests import factories, mail


@pytest.fixture
def staff(client_of, maintainer):
    return client_of(maintainer)


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
    with mail.receiving() as made:
        options = {"host": mail.HOST, "port": made.port, "timeout": 5}
        backend = "django.core.mail.backends.smtp.EmailBackend"
        settings.MAILERS = {"default": {"BACKEND": backend, "OPTIONS": options}}
        yield made


@pytest.fixture
def queued(settings):
    """Have work queued; a test runs it with ``turn``."""
    settings.SPMS_MODE = "queue"
    Cluster.objects.create(name="host:1:a", workers=1)
