"""The configuration of logging: lines for people, or JSON for machines."""

import logging
import zoneinfo
from datetime import datetime
from typing import Any

MAX_LINE_CHARACTERS = 4_000


class LineLengthFilter(logging.Filter):
    """Shortens messages: they may quote what a request sent."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Cut the message; return True, as no record is dropped."""
        message = record.getMessage()
        if len(message) > MAX_LINE_CHARACTERS:
            record.msg, record.args = f"{message[:MAX_LINE_CHARACTERS]}…", None
        return True


class LineFormatter(logging.Formatter):
    """Formats lines for people, with the time in a zone and its offset, whatever the zone of the process.

    It gets the zone by name, as gunicorn logs before Django has its settings.
    """

    def __init__(self, *args: Any, zone: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self._zone = zoneinfo.ZoneInfo(zone)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Return a time such as 2026-11-27 19:05:00.123+08:00."""
        at = datetime.fromtimestamp(record.created, self._zone)
        return at.isoformat(sep=" ", timespec="milliseconds")


def config(style: str, zone: str) -> dict[str, Any]:
    """Return the dictionary for ``logging.config``; ``style`` is ``lines`` or ``json``, ``zone`` that of lines."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "ids": {"()": "documents.infrastructure.log_context.CorrelationIdFilter"},
            "length": {"()": LineLengthFilter},
        },
        "formatters": {
            "lines": {
                "()": LineFormatter,
                "zone": zone,
                "fmt": "{asctime} {levelname} {name}: {message}",
                "style": "{",
            },
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
                "format": "{levelname}{name}{message}{process}{request_id}{task_id}",
                "style": "{",
                "timestamp": "time",
                "rename_fields": {"levelname": "level", "name": "logger"},
            },
        },
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": style, "filters": ["ids", "length"]}
        },
        "root": {"handlers": ["console"], "level": "INFO"},
        "loggers": {
            # For people the task's line is enough; machines get one for each request.
            "spms.requests": {"level": "INFO" if style == "json" else "WARNING"},
            # Ours replaces Gunicorn's handler.
            "gunicorn.error": {"level": "INFO", "propagate": True},
            # Without handlers of their own, whose lines have another format, or no time.
            "uvicorn": {"handlers": [], "propagate": True},
            "uvicorn.error": {"handlers": [], "propagate": True},
            "uvicorn.access": {"handlers": [], "propagate": True, "level": "WARNING"},
            "django.server": {"handlers": [], "propagate": True},
            "django-q": {"handlers": [], "propagate": True},
            # Celery logs two lines for each message, which repeat the task row.
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
        },
    }
