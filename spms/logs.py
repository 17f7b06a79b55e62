"""The configuration of logging: lines for people, or JSON for machines."""

from typing import Any


def config(style: str) -> dict[str, Any]:
    """Return the dictionary for ``logging.config``; ``style`` is ``lines`` or ``json``."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"ids": {"()": "documents.infrastructure.log_context.CorrelationIdFilter"}},
        "formatters": {
            "lines": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
                "format": "{levelname}{name}{message}{process}{request_id}{task_id}",
                "style": "{",
                "timestamp": "time",
                "rename_fields": {"levelname": "level", "name": "logger"},
            },
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": style, "filters": ["ids"]}},
        "root": {"handlers": ["console"], "level": "INFO"},
        "loggers": {
            # For people the task's line is enough; machines get one for each request.
            "spms.requests": {"level": "INFO" if style == "json" else "WARNING"},
            # Ours replaces Gunicorn's handler.
            "gunicorn.error": {"level": "INFO", "propagate": True},
            # Celery logs two lines for each message, which repeat the task row.
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
        },
    }
