"""TLS to the broker and to the database, with certificates of an authority that is made here."""

import psycopg
import pytest

from tests.acceptance import warm
from tests.acceptance.certificates import Authority
from tests.acceptance.flower_server import Flower
from tests.acceptance.servers import PgBouncer, RabbitMQ, Redis
from tests.acceptance.system import System

CONNECT = """
from spms.task_backends.celery import app
with app.connection_for_write() as connection:
    connection.ensure_connection(max_retries=1, timeout=5)
    print("connected:", connection.as_uri())
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def other_authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("other-authority"))


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def broker(request, authority):
    certificate = authority.certify("localhost")
    server = Redis(certificate, password="a%2Fb%23c") if request.param == "redis" else RabbitMQ(certificate)
    yield server
    server.remove()


def connect(broker_url, folder, **settings):
    environment = {
        "SPMS_DATA_DIR": str(folder),
        "SPMS_QUEUE_BACKEND": "celery",
        "SPMS_CELERY_BROKER": broker_url,
    }
    return warm.run(["shell", "-v", "0", "-c", CONNECT], environment | settings)


def test_a_broker_of_our_authority_is_connected_to(broker, authority, tmp_path):
    connected = connect(broker.url, tmp_path, SPMS_CELERY_CA=str(authority.ca_file))
    assert "connected:" in connected.stdout, connected.stderr


def test_a_broker_of_an_authority_that_nobody_knows_is_not(broker, tmp_path):
    refused = connect(broker.url, tmp_path)
    assert "connected:" not in refused.stdout
    assert "certificate verify failed" in refused.stderr


def test_a_broker_with_the_certificate_of_another_name_is_not(broker, authority, tmp_path):
    by_address = broker.url.replace("localhost", "127.0.0.1")
    refused = connect(by_address, tmp_path, SPMS_CELERY_CA=str(authority.ca_file))
    assert "connected:" not in refused.stdout
    assert "127.0.0.1" in refused.stderr


@pytest.mark.parametrize("broker", ["redis"], indirect=True)
def test_flower_reads_a_queue_over_tls(broker, authority, tmp_path):
    settings = {"SPMS_QUEUE_BACKEND": "celery", "SPMS_CELERY_BROKER": broker.url}
    settings |= {"SPMS_CELERY_CA": str(authority.ca_file), "SPMS_DATA_DIR": str(tmp_path)}
    flower = Flower(settings, tmp_path / "flower.log")
    try:
        answer = flower.get("queues/length")
    finally:
        flower.stop()
    assert answer.json() == {"active_queues": [{"name": "spms", "messages": 0}]}, answer.text


def test_a_pdf_is_made_through_a_broker_with_tls(broker, authority, tmp_path, request):
    if request.config.getoption("--engines") != "all":
        pytest.skip("the connection is tried above; --engines all makes PDFs over both brokers")
    settings = {"SPMS_QUEUE_BACKEND": "celery", "SPMS_CELERY_BROKER": broker.url}
    system = System(tmp_path, SPMS_CELERY_CA=str(authority.ca_file), **settings)
    with system.running():
        task = system.make(system.documents(kind="concept_plan")[0]).json()
        assert system.ended(task["task_id"])["status"] == "succeeded"


@pytest.fixture(scope="module")
def database(postgres, authority):
    """PostgreSQL's own protocol with TLS: the embedded one has none, so PgBouncer speaks it."""
    server = PgBouncer(postgres.new_database(), authority.certify("localhost"))
    yield server
    server.remove()


def test_a_database_is_verified_with_verify_full(database, authority, other_authority, tmp_path):
    address = f"{database.url}?sslmode=verify-full&sslrootcert="
    script = [
        "shell",
        "-v",
        "0",
        "-c",
        "from django.db import connection as c; c.connect(); print('connected')",
    ]
    for ca_file, is_known in ((authority.ca_file, True), (other_authority.ca_file, False)):
        settings = {"SPMS_DATA_DIR": str(tmp_path), "DATABASE_URL": f"{address}{ca_file}"}
        ended = warm.run(script, settings)
        assert ("connected" in ended.stdout) is is_known, ended.stderr
        assert is_known or "certificate verify failed" in ended.stderr


def test_a_database_that_wants_tls_refuses_plain_text(database):
    with pytest.raises(psycopg.OperationalError, match=r"SSL required|TLS required"):
        psycopg.connect(database.url, sslmode="disable")
