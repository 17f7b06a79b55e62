"""Production settings: nothing for ``check --deploy`` to find, everything over TLS, and no sample data."""

import os

import pytest

from tests.acceptance import warm


@pytest.fixture
def manage(tmp_path):
    """Run a command of a production that has a database."""

    def manage(*command, **settings):
        environment = {
            "PATH": os.environ["PATH"],
            "SPMS_DATA_DIR": str(tmp_path),
            "SPMS_HTTPS": "true",
            "ALLOWED_HOSTS": "spms.example.org",
            "EMAIL_URL": "smtp+tls://mail.example.org:587",
            **settings,
        }
        return warm.run(command, environment)

    return manage


ANSWERS = """
from django.test import Client
for host, path, secure in [
    ("spms.example.org", "/login/", False),
    ("spms.example.org", "/login/", True),
    ("spms.example.org", "/healthz/live", False),
]:
    headers = {"X-Forwarded-Proto": "https"} if secure else {}
    answer = Client().get(path, headers={"Host": host, **headers})
    print(answer.status_code, answer.headers.get("Location"), answer.headers.get("Strict-Transport-Security"),
          answer.headers.get("Cache-Control"), [bool(one["secure"]) for one in answer.cookies.values()])
"""


def test_djangos_own_list_for_production_finds_nothing(manage):
    ended = manage("check", "--deploy", "--fail-level", "DEBUG")
    assert ended.returncode == 0, ended.stderr


def test_plain_requests_are_sent_to_tls_and_cookies_stay_there(manage):
    assert manage("collectstatic", "--noinput", "--verbosity", "0").returncode == 0
    ended = manage("shell", "--no-imports", "-c", ANSWERS)
    assert ended.returncode == 0, ended.stderr
    plain, secure, health = ended.stdout.splitlines()
    assert plain.startswith("301 https://spms.example.org/login/")
    assert secure.startswith("200 None max-age=31536000; includeSubDomains")
    assert "no-store" in secure
    assert secure.endswith("[True]")
    assert health.startswith("200 ")


def test_the_sample_data_is_refused_in_production(manage):
    ended = manage("load_sample_data", "--really")
    assert ended.returncode == 1
    assert ended.stderr.startswith("CommandError: This is production (SPMS_HTTPS)")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SPMS_API_THROTTLE_RATE", "many", "such as 3000/m"),
        ("SPMS_API_THROTTLE_RATE", "0/m", "such as 3000/m"),
        ("SPMS_TRUSTED_PROXIES", "-1", "a whole number"),
        ("SPMS_LOGIN_FAILURES", "0", "above zero"),
        ("SPMS_LOGS", "xml", "lines, json"),
    ],
)
def test_a_wrong_value_is_named(manage, name, value, expected):
    ended = manage("check", **{name: value})
    assert ended.returncode == 1
    assert f"{name}={value!r}" in ended.stderr
    assert expected in ended.stderr
