"""Addresses of other servers: readable or refused without showing anything, and never without verification."""

import ssl

import pytest
from django.core.exceptions import ImproperlyConfigured

from spms import connections, environment
from tests.acceptance import warm


@pytest.mark.parametrize("password", ["a/b", "a#b", "a?b", "a[b", "a/9@b", "12/34", "12#34", "a:b/c"])
@pytest.mark.parametrize(
    "name", ["DATABASE_URL", "SPMS_CELERY_BROKER", "EMAIL_URL", "SPMS_LISTEN_DATABASE_URL"]
)
def test_a_password_that_is_not_encoded_is_refused_and_not_shown(name, password):
    with pytest.raises(ImproperlyConfigured) as refused:
        connections.require_readable(name, f"postgres://agency:{password}@db.example.org:5432/spms")
    assert name in str(refused.value)
    assert "Percent-encode" in str(refused.value)
    assert password not in str(refused.value)
    assert "example" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgres://spms:a%2Fb%23c%3Fd@db.example.org:5432/spms",
        "postgres://spms:a@b@db.example.org/spms",
        "postgres://spms:x@one:5432,two:5432/spms?target_session_attrs=read-write",
        "postgres://spms:x@[::1]:5432/spms",
        "postgres://spms:x@%2Fvar%2Frun%2Fpostgresql/spms",
        "postgres:///spms",
        "sqlite:////srv/a@b#c/spms.sqlite3",
        "consolemail://",
        "smtp+tls://user%40example.org:x@mail.example.org:587",
        "rediss://:key%3D@name.redis.cache.example.net:6380/0",
        "amqps://spms:x@rabbit.example.org:5671//",
    ],
)
def test_what_is_written_as_documented_is_read(url):
    connections.require_readable("DATABASE_URL", url)


def test_at_the_start_it_is_one_line(tmp_path):
    settings = {"SPMS_DATA_DIR": str(tmp_path), "DATABASE_URL": "postgres://u:secret/half@h:5432/d"}
    ended = warm.run(["check"], settings)
    assert ended.returncode != 0
    [line] = ended.stderr.strip().splitlines()
    assert "DATABASE_URL" in line
    assert "secret" not in line
    assert "half" not in line


@pytest.mark.parametrize("scheme", ["rediss", "amqps"])
def test_a_broker_with_tls_is_verified_by_default(scheme):
    address, options = connections.broker(f"{scheme}://:x@h:1/0", "")
    assert address == f"{scheme}://:x@h:1/0"
    assert options is not None
    assert ssl.CERT_REQUIRED in options.values()


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_without_tls_has_no_options(scheme):
    assert connections.broker(f"{scheme}://h/0", "") == (f"{scheme}://h/0", None)


@pytest.mark.parametrize(
    "query",
    [
        "ssl_cert_reqs=none", "ssl_cert_reqs=CERT_NONE", "ssl_cert_reqs=optional", "ssl_check_hostname=false",
        "ssl_cert_reqs=required&ssl_check_hostname=no", "ssl=false", "verify=0",
    ],
)  # fmt: skip
def test_an_address_that_turns_verification_off_is_refused(query):
    with pytest.raises(ImproperlyConfigured, match="always verified") as refused:
        connections.broker(f"rediss://:top-secret@h:6380/0?{query}", "")
    assert "top-secret" not in str(refused.value)


def test_the_usual_way_to_ask_for_verification_is_understood():
    address, options = connections.broker("rediss://:x@h:6380/0?ssl_cert_reqs=required", "")
    assert address == "rediss://:x@h:6380/0"
    assert options == {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}


def test_a_missing_file_of_a_ca_is_refused(tmp_path):
    with pytest.raises(ImproperlyConfigured, match="SPMS_CELERY_CA"):
        connections.broker("rediss://h:6380/0", str(tmp_path / "none.pem"))


def test_the_listening_connection_is_of_postgresql(monkeypatch):
    monkeypatch.setenv("SPMS_LISTEN_DATABASE_URL", "sqlite:///x")
    with pytest.raises(ImproperlyConfigured, match="SPMS_LISTEN_DATABASE_URL"):
        environment.listen_database()
