"""How a task is run, inline or queued; independent of the kinds of task."""

from typing import Any

# What queue entries and schedules of an older version name.
_MOVED = ("run_task", "begin_scheduled")


def __getattr__(name: str) -> Any:
    """Return a function that has moved to ``hints``, imported only when it is asked for."""
    if name in _MOVED:
        from documents.queue import hints

        return getattr(hints, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
