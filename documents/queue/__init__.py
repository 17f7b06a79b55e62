"""How a task is run, inline or queued; knows no kind of task."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Return what the queue and the schedules of an older version still name; imported only when one asks."""
    if name in {"run_task", "begin_scheduled"}:
        from documents.queue import hints

        return getattr(hints, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
