"""What a worker does, in the process of the test."""

from django_q.models import OrmQ

from documents import handlers, queue


def run_entries():
    """Run what is in the queue, entry by entry."""
    for entry in OrmQ.objects.order_by("pk"):
        [_, [task_id], _] = entry.task["args"]
        queue.run_task.call(task_id)
        entry.delete()


def replace_handler(monkeypatch, run, kind="pdf"):
    """Have tasks of a kind run by another function."""
    monkeypatch.setitem(handlers._kinds, kind, handlers.Kind(name=kind, title=kind, run=run))
