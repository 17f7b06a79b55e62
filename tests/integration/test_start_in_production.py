"""A production system whose settings would give it away does not start, and says in one line what to do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PROGRAMS = Path(sys.executable).parent
GOOD_KEY = "0123456789abcdef" * 4
MANAGE = (sys.executable, "manage.py")
STARTS = {
    "manage.py": (*MANAGE, "migrate", "--verbosity", "0"),
    "workers": (*MANAGE, "qcluster"),
    "web server": (PROGRAMS / "gunicorn", "-c", "python:spms.gunicorn", "spms.wsgi"),
    "event streams": (PROGRAMS / "uvicorn", "spms.asgi:application", "--port", "0"),
}


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a program and returns how it ended."""

    def start(command, **settings):
        variables = {
            "PATH": os.environ["PATH"],
            "SPMS_DATA_DIR": str(tmp_path),
            "SPMS_HTTPS": "true",
            "PORT": "0",
        }
        return subprocess.run(
            command, cwd=ROOT, env=variables | settings, capture_output=True, text=True, timeout=120
        )

    return start


def refusal(ended):
    """Return the only line that a program which did not start has printed."""
    assert ended.returncode != 0
    [line] = (ended.stdout + ended.stderr).strip().splitlines()
    return line


@pytest.mark.parametrize("program", STARTS)
@pytest.mark.parametrize(("name", "value"), [("DEBUG", "true"), ("SECRET_KEY", "x")])
def test_nothing_starts_with_it(program, name, value, start):
    line = refusal(start(STARTS[program], **{"SECRET_KEY": GOOD_KEY, name: value}))
    assert name in line


@pytest.mark.parametrize(
    "key", ["x", GOOD_KEY[:49], "abcd" * 20, "django-insecure-" + GOOD_KEY, " " * 60], ids=range(5)
)
def test_a_key_that_can_be_guessed_is_refused_and_not_shown(key, start):
    line = refusal(start((*MANAGE, "check"), SECRET_KEY=key))
    assert "openssl rand -hex 40" in line
    assert key == "x" or key not in line


def test_a_weak_key_in_the_data_folder_is_refused_as_well(start, tmp_path):
    (tmp_path / "secret_key").write_text("changed by hand")
    assert "SECRET_KEY" in refusal(start((*MANAGE, "check")))


@pytest.mark.parametrize("chosen", [{}, {"SECRET_KEY": GOOD_KEY}, {"SECRET_KEY": GOOD_KEY, "DEBUG": "false"}])
def test_good_settings_start(chosen, start):
    ended = start((*MANAGE, "check"), **chosen)
    assert ended.returncode == 0, ended.stderr


def test_a_system_that_is_not_public_may_be_debugged(start):
    ended = start((*MANAGE, "check"), SPMS_HTTPS="false", DEBUG="true", SECRET_KEY="x")
    assert ended.returncode == 0, ended.stderr
