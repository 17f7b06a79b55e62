"""Has PDFs made ahead of a request, as a supervisor and a worker do, in the process of the test."""

import contextlib
import os
import time
from datetime import timedelta

from django.utils import timezone

from documents.infrastructure import slot_queue
from documents.models import Document, Prerender, Task
from documents.operations.prerenders.supervision import Prerenderer
from tests.working import run_entries

OTHER_PROCESS = 1
ENOUGH_TIME = timedelta(minutes=1)


def change(api, document, text, ago=ENOUGH_TIME):
    assert api.patch(
        f"/api/v1/documents/{document.pk}/", {"sections": {"aims": f"<p>{text}</p>"}}, "json"
    ).data
    Document.objects.filter(pk=document.pk).update(updated_at=timezone.now() - ago)
    return Document.objects.get(pk=document.pk)


def begin():
    """Let a supervisor look for a document, and return the task that it began."""
    prerenderer = Prerenderer()
    for _ in range(2):  # the first look measures how busy the machine is
        prerenderer.begin_next()
    return Task.objects.ahead().in_flight().first()


def make():
    """Begin the next PDF and make it as a worker does."""
    task = begin()
    run_entries()
    return task


def outcomes():
    return list(Prerender.objects.order_by("pk").values_list("outcome", flat=True))


@contextlib.contextmanager
def ticket_of_another_process(state=slot_queue.HOLDING):
    """Hold a render slot, or wait for one, as another process that lives."""
    folder = slot_queue.render_slots_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{state}{time.monotonic_ns():020d}-{OTHER_PROCESS}-0"
    os.mkfifo(path)
    pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        yield
    finally:
        os.close(pipe)
        path.unlink(missing_ok=True)
