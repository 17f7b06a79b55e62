"""The configuration of logging: lines for people, or JSON for machines."""

import logging
from datetime import datetime
from typing import Any

from django.utils import timezone

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
    """Formats lines for people, with the time in ``TIME_ZONE`` and its offset, whatever the zone of the process."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Return a time such as 2026-11-27 19:05:00.123+08:00."""
        at = datetime.fromtimestamp(record.created, timezone.get_default_timezone())
        return at.isoformat(sep=" ", timespec="milliseconds")


def config(style: str) -> dict[str, Any]:
    """Return the dictionary for ``logging.config``; ``style`` is ``lines`` or ``json``."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "ids": {"()": "documents.infrastructure.log_context.CorrelationIdFilter"},
            "length": {"()": LineLengthFilter},
        },
        "formatters": {
            "lines": {"()": LineFormatter, "format": "{asctime} {levelname} {name}: {message}", "style": "{"},
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
