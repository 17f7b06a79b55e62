"""What is stored: projects, their documents and images, and the task row."""

import uuid
from pathlib import PurePath
from typing import Any, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone

from documents import kinds, richtext
from documents.clusters import Cluster as Cluster, Pause as Pause
from documents.cycle_models import Cycle as Cycle, Letter as Letter
from documents.failures import Failure as Failure
from documents.notice_models import Delivery as Delivery, Notice as Notice
from documents.part_models import DrawnPart as DrawnPart
from documents.projects import (
    YEAR_VALIDATORS,
    BusinessArea as BusinessArea,
    Membership as Membership,
    Project as Project,
    Viewer as Viewer,
    projects_of,
)
from documents.report_models import ScheduledReport as ScheduledReport


class DocumentQuerySet(models.QuerySet["Document"]):
    """Documents, as somebody may see them."""

    def for_user(self, user: Viewer) -> Self:
        """Return the documents that this person may read, change and render."""
        if user.is_staff:
            return self
        return self.filter(project_id__in=projects_of(user))


class Document(models.Model):
    """A project's document, or one year's annual report.

    ``sections`` maps a section's key to sanitised HTML. ``version`` counts the changes of what is printed.
    """

    class Status(models.TextChoices):
        NEW = "new", "New document"
        REVISING = "revising", "Revising"
        IN_REVIEW = "in_review", "In review"
        IN_APPROVAL = "in_approval", "In approval"
        APPROVED = "approved", "Approved"

    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, null=True, blank=True, related_name="documents"
    )
    kind = models.CharField(max_length=20, choices=kinds.choices())
    year = models.PositiveSmallIntegerField("year in which its period ends", validators=YEAR_VALIDATORS)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.NEW)
    sections = models.JSONField(default=dict, blank=True)
    lead_approved = models.BooleanField("approved by the project lead", default=False)
    area_approved = models.BooleanField("approved by the business area lead", default=False)
    directorate_approved = models.BooleanField("approved by the directorate", default=False)
    cover_image = models.ForeignKey(
        "DocumentImage", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = DocumentQuerySet.as_manager()

    class Meta:
        ordering = ("-year", "kind", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=("project", "kind", "year"), name="one_document_per_project_kind_year"
            ),
            models.UniqueConstraint(
                fields=("kind", "year"), condition=Q(project=None), name="one_annual_report_per_year"
            ),
            models.CheckConstraint(
                condition=Q(kind=kinds.ANNUAL_REPORT.key, project=None)
                | (~Q(kind=kinds.ANNUAL_REPORT.key) & Q(project__isnull=False)),
                name="annual_report_has_no_project",
            ),
        )
        indexes = (models.Index(fields=("kind", "year", "status"), name="document_chapters"),)

    def __str__(self) -> str:
        return f"{self.project.tag} {self.title}" if self.project else self.title

    @property
    def kind_info(self) -> kinds.Kind:
        """The kind's title and sections."""
        return kinds.KINDS[self.kind]

    @property
    def title(self) -> str:
        """The kind and, where it reports on a year, that year: “Progress Report (2025-2026)”."""
        title = self.kind_info.title
        return f"{title} ({self.year - 1}-{self.year})" if self.kind_info.is_yearly else title

    @property
    def filename(self) -> str:
        """The name under which its PDF is downloaded."""
        return f"{self}.pdf"

    def filename_of(self, edition: str) -> str:
        """Return the name under which an edition is downloaded; an empty text is the usual one."""
        return f"{self} ({edition}).pdf" if edition else self.filename

    def clean(self) -> None:
        """Sanitise the sections, and refuse what the kind or the limits of rich text do not allow."""
        kind = kinds.KINDS.get(self.kind)
        if kind is None:
            return
        if kind.has_project != (self.project_id is not None):
            message = "needs a project" if kind.has_project else "belongs to a year and has no project"
            raise ValidationError({"project": f"A {kind.title.lower()} {message}."})
        self.sections = richtext.clean_sections(kind, self.sections)

    def bump_version(self) -> None:
        """Count a change of what is printed, safe against a change at the same moment."""
        Document.objects.filter(pk=self.pk).update(version=F("version") + 1)
        self.refresh_from_db(fields=["version"])


def image_path(image: "DocumentImage", filename: str) -> str:
    """Return where an image was kept before files were named by their digests (``documents.images``)."""
    return f"images/{image.pk.hex[:2]}/{image.pk.hex}{PurePath(filename).suffix}"


class DocumentImageQuerySet(models.QuerySet["DocumentImage"]):
    """Images, by how far they are."""

    def ready(self) -> Self:
        """Return the images that can be shown."""
        return self.exclude(file="")

    def waiting(self) -> Self:
        """Return the images that a task still prepares."""
        return self.filter(file="", task__status__in=Task.IN_FLIGHT)


class DocumentImage(models.Model):
    """An image of a document, scaled at upload to what print needs.

    A large one has a ``task`` that prepares it; until then it has no file and neither width nor height.
    """

    class State(models.TextChoices):
        READY = "ready", "Ready"
        WAITING = "waiting", "Being prepared"
        FAILED = "failed", "Could not be prepared"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="images")
    file = models.FileField(upload_to=image_path)
    thumbnail = models.CharField(
        "name of the small file", max_length=100, blank=True, db_default="", editable=False
    )
    width = models.PositiveIntegerField("width in pixels", editable=False)
    height = models.PositiveIntegerField("height in pixels", editable=False)
    digest = models.CharField("SHA-256 of the file", max_length=64, editable=False)
    upload_digest = models.CharField(
        "SHA-256 of what was sent", max_length=64, blank=True, db_default="", editable=False
    )
    task = models.ForeignKey(
        "Task", on_delete=models.SET_NULL, null=True, blank=True, related_name="images", editable=False
    )
    caption = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DocumentImageQuerySet.as_manager()

    class Meta:
        ordering = ("created_at",)
        indexes = (models.Index(fields=("upload_digest",), name="image_sent"),)

    def __str__(self) -> str:
        return self.caption or str(self.pk)

    @property
    def url(self) -> str:
        """The address to use in a section's ``<img src>``; readers need the right to read the document."""
        return reverse("image-file", args=[self.pk])

    @property
    def thumbnail_url(self) -> str:
        """The address of the small one, for lists."""
        return f"{self.url}?size=thumbnail"

    @property
    def state(self) -> str:
        """How far it is: told by its file and its task, so nothing has to keep a column in step with them."""
        if self.file:
            return self.State.READY
        return self.State.WAITING if self.task and not self.task.has_ended else self.State.FAILED


class TaskQuerySet(models.QuerySet["Task"]):
    """Tasks, as somebody may see them."""

    def for_user(self, user: Viewer) -> Self:
        """Return the tasks that this person asked for, or whose document they may read."""
        if user.is_staff:
            return self
        documents = Document.objects.for_user(user).values("pk")
        return self.filter(Q(requested_by_id=user.pk) | Q(document_id__in=documents))

    def in_flight(self) -> Self:
        """Return the tasks that have not ended."""
        return self.filter(status__in=Task.IN_FLIGHT, finished_at=None)

    def waiting(self) -> Self:
        """Return the tasks that wait for a worker, or for their next attempt."""
        return self.filter(status__in=Task.WAITING, mode=Task.Mode.QUEUE, finished_at=None)

    def running(self) -> Self:
        """Return the tasks that somebody runs, or ran until its process died."""
        return self.filter(status=Task.Status.RUNNING, finished_at=None)


class Task(models.Model):
    """One piece of work that may run in the background, its state and its result.

    This row is the truth about the work. ``token`` names the claim that runs it now: who holds another one
    may not write. ``lease_until`` is when that claim lapses unless it is renewed. ``hinted_at`` is when the
    queue was last told of it: the queue's entry is only a hint, and may be lost or repeated.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        RETRYING = "retrying", "Waiting for its next attempt"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    class Mode(models.TextChoices):
        INLINE = "inline", "Inline"
        QUEUE = "queue", "Queue"

    WAITING = (Status.QUEUED, Status.RETRYING)
    IN_FLIGHT = (*WAITING, Status.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=20)
    document = models.ForeignKey(
        Document, on_delete=models.SET_NULL, null=True, blank=True, related_name="tasks"
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="tasks"
    )
    fingerprint = models.CharField("SHA-256 of what goes in", max_length=64)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    mode = models.CharField(max_length=10, choices=Mode.choices, default=Mode.INLINE)
    attempts = models.PositiveSmallIntegerField(default=0)
    token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    worker = models.CharField("who ran it last", max_length=150, blank=True)
    claimable_at = models.DateTimeField("when it may run", default=timezone.now)
    hinted_at = models.DateTimeField(null=True, blank=True)
    routed_by = models.CharField("rule that chose its mode", max_length=20, blank=True)
    request_id = models.CharField("request that began it", max_length=64, blank=True, db_default="")
    arguments = models.JSONField("what its handler should know", default=dict, blank=True, db_default={})
    source = models.CharField("name of the file that goes in", max_length=200, blank=True, db_default="")
    phase = models.CharField(max_length=20, blank=True)
    pages_done = models.PositiveIntegerField(default=0)
    message = models.CharField(max_length=500, blank=True)
    error = models.JSONField(null=True, blank=True)
    result = models.JSONField(null=True, blank=True)
    file = models.CharField("name in the result storage", max_length=200, blank=True)
    digest = models.CharField("SHA-256 of the file", max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = TaskQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("kind", "fingerprint"),
                condition=Q(status__in=("queued", "running", "retrying")),
                name="one_task_in_flight_per_fingerprint",
            ),
        )
        indexes = (
            models.Index(fields=("fingerprint", "status"), name="task_reuse"),
            models.Index(fields=("-created_at",), name="task_newest"),
            models.Index(fields=("-finished_at",), name="task_finished"),
            models.Index(fields=("status", "-finished_at"), name="task_by_end"),
            # Small however many tasks have ended: what the recoverer and the queue's bounds look at. SQLite uses
            # it only for questions that hold the same condition without a parameter: finished_at IS NULL.
            models.Index(
                fields=("status", "claimable_at"), condition=Q(finished_at=None), name="task_unfinished"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.pk} ({self.status})"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status not in self.IN_FLIGHT

    def get_absolute_url(self) -> str:
        """Return its address in the API."""
        return reverse("task-detail", args=[self.pk])

    @property
    def filename(self) -> str:
        """The name under which the file that it made is downloaded or sent."""
        return str((self.result or {}).get("filename") or PurePath(self.file).name)

    @property
    def result_url(self) -> str | None:
        """The address of the file that it made, if it made one: a document's PDF has an address of its own.

        One that failed may have a file too: a report of what was wrong.
        """
        if not self.has_ended or not self.file:
            return None
        if self.kind == "pdf" and self.document_id:
            return f"{reverse('document-pdf', args=[self.document_id])}?task={self.pk}"
        return reverse("task-file", args=[self.pk])

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert only: a whole-row save would undo what happened meanwhile; changes are compare-and-set."""
        if not self._state.adding and kwargs.get("update_fields") is None:
            raise TypeError("Change a task with documents.tasks, or save named fields.")
        super().save(*args, **kwargs)
