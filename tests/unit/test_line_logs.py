"""Lines for people have one clock: TIME_ZONE, with its offset, in every process."""

import logging
import logging.config
import re
import time

import pytest

from spms import logs

OFFSET = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d ")


def formatted(at):
    formatter = logs.LineFormatter("{asctime} {levelname} {name}: {message}", style="{")
    record = logging.makeLogRecord({"msg": "x", "name": "spms", "levelname": "INFO", "created": at})
    return formatter.format(record)


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
    loggers = logs.config("lines")["loggers"]
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "gunicorn.error", "django.server", "django-q"):
        assert loggers[name].get("handlers", []) == []
        assert loggers[name]["propagate"] is True
