"""How a task is run, inline or queued; knows no kind of task."""
