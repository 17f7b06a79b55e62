"""How a task is run, inline or queued; knows no kind of task."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Return what entries of the queue of an older version still name; imported only when one asks."""
    if name == "run_task":
        from documents.queue.hints import run_task

        return run_task
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
