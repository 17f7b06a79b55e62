"""An annual report to try things with, small and with everything in it, and how to make its PDF."""

import time
from datetime import datetime

from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.utils import timezone

from documents.content import editions
from documents.models import BusinessArea, Document, Task
from documents.queue.registry import TaskContext
from documents.tasks.pdf import task as pdf_task
from tests import factories

CHAPTERS = 9
PARTS = CHAPTERS + 5 + 1  # the sections of its own, and the list of external projects
TABLE = (
    "<table><thead><tr><th>Site</th><th>Cover</th></tr></thead><tbody><tr><td>Bay</td><td>12</td></tr></tbody>"
    "</table>"
)


def stop_clock(patch):
    """Stop the clock that the cover shows."""
    moment = datetime(2026, 7, 1, 12, tzinfo=timezone.get_current_timezone())
    patch.setattr(timezone, "localtime", lambda *_: moment)


class Bucket(Storage):
    """A storage whose files have no path."""

    def __init__(self):
        self.files: dict[str, bytes] = {}

    def _save(self, name, content):
        self.files[name] = content.read()
        return name

    def _open(self, name, mode="rb"):
        if name not in self.files:
            raise FileNotFoundError(name)
        return ContentFile(self.files[name])

    def exists(self, name):
        return name in self.files


def report_of_nine_chapters(owner):
    """An annual report of nine chapters in two areas, with an image, a table, a list and a link to another chapter."""
    areas = [BusinessArea.objects.create(name=name, leader=owner) for name in ("Forests", "Marine Science")]
    for number in range(CHAPTERS - 1):
        chapter(owner, number, areas[number % 2])
    student = factories.project(owner, tag="STP-1", business_area=areas[0], kind="student")
    text = {"progress_report": "<p>A thesis on <em>seagrass</em>.</p>"}
    factories.document(project=student, kind="student_report", status="approved", sections=text)
    factories.project(owner, kind="external", status="active", title="A partnership", business_area=areas[1])
    return factories.document(
        kind="annual_report", sections={"directors_message": f"<p>Welcome to ﬁne work.</p>{TABLE}"}
    )


def chapter(owner, number, area):
    project = factories.project(owner, tag=f"SP-{number}", title=f"Project {number}", business_area=area)
    report = factories.document(project=project, kind="progress_report", status="approved")
    sections = {"context": factories.long_text(1 + number), "aims": f"<p>To see bay {number}.</p>{TABLE}"}
    if number == 2:
        image = factories.image(report)
        first = Document.objects.filter(kind="progress_report").earliest("pk")
        sections["progress"] = (
            f'<ul><li>One <a href="#report-{first.pk}">chapter</a></li><li>Two</li></ul>'
            f'<figure><img src="{image.url}" alt="A bay"><figcaption>A bay</figcaption></figure>'
        )
    Document.objects.filter(pk=report.pk).update(sections=sections)
    return report


def with_text(tag, text):
    Document.objects.filter(project__tag=tag).update(sections={"context": text})


def make(document, user, *, report=lambda phase, pages: None, seconds=300.0, edition=editions.DEFAULT):
    """Make the PDF and return what the task got of it."""
    task = Task.objects.create(
        kind="pdf",
        document=document,
        requested_by=user,
        fingerprint=str(time.time()),
        arguments=edition.as_arguments(),
    )
    return pdf_task.render(TaskContext(task=task, deadline=time.monotonic() + seconds, report=report))
