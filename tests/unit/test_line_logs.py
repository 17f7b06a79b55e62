"""Lines for people have one clock: TIME_ZONE, with its offset, in every process."""

import logging
import logging.config
import os
import re
import subprocess
import sys
import time

import pytest

from spms import logs

OFFSET = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d ")


def formatted(at):
    formatter = logs.LineFormatter(
        "{asctime} {levelname} {name}: {message}", style="{", zone="Australia/Perth"
    )
    record = logging.makeLogRecord({"msg": "x", "name": "spms", "levelname": "INFO", "created": at})
    return formatter.format(record)


def test_lines_are_formatted_before_django_has_its_settings():
    script = (
        "import logging.config; from spms import logs; logging.config.dictConfig(logs.config('lines', 'UTC'));"
        "logging.getLogger('spms').warning('early')"
    )
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert OFFSET.match(done.stderr), done.stderr
    assert done.stderr.endswith("WARNING spms: early\n")


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_the_zone_of_the_process_does_not_matter(zone, monkeypatch, settings):
    expected = formatted(1_782_900_000.5)
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert formatted(1_782_900_000.5) == expected
    finally:
        monkeypatch.undo()
        time.tzset()
    assert OFFSET.match(expected)
    assert "+08:00" in expected


def test_no_server_has_lines_of_its_own():
    loggers = logs.config("lines", "UTC")["loggers"]
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "gunicorn.error", "django.server", "django-q"):
        assert loggers[name].get("handlers", []) == []
        assert loggers[name]["propagate"] is True
