"""What a worker does, in the process of the test."""

from dataclasses import replace

from django_q.models import OrmQ

from documents.models import Letter
from documents.queue import hints, registry


def run_entries():
    """Run what is in the queue, entry by entry."""
    for entry in OrmQ.objects.order_by("pk"):
        [_, [task_id], _] = entry.task["args"]
        hints.run_task.call(task_id)
        entry.delete()


def replace_handler(monkeypatch, run, kind="pdf"):
    """Have tasks of a kind run by another function."""
    monkeypatch.setitem(registry._task_types, kind, replace(registry.get_task_type(kind), run=run))


def turn():
    """Tell the workers of what is due, and run it."""
    hints.recover()
    run_entries()


def open_cycle(staff, **values):
    """Open a cycle through the API, as a client of a member of staff."""
    return staff.post("/api/v1/cycles/", {"year": 2026, "due": "2026-07-31"} | values, format="json")


def letter_states():
    """Return the state of each person's letter in the one cycle that there is."""
    return dict(Letter.objects.values_list("person__username", "state"))
