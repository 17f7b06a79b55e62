"""The task row: one piece of background work, its state and its result."""

import uuid
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from documents.models.documents import Document
from documents.models.projects import Viewer

# The kinds of task that belong to their requester, as they are about no single document.
PERSONAL_KINDS = ("export",)
# The rules of tasks that nobody asked for (documents/operations/prerenders): their PDFs wait for a request, or had one.
PRERENDER, PRERENDER_USED = "prerender", "prerender_used"


def shared_now() -> Now | datetime:
    """Return the time now by the clock of the database, for what one host writes and another compares.

    A host whose clock is wrong is then like any other. SQLite is on this host, and its ``Now`` is less exact.
    """
    return Now() if connection.vendor == "postgresql" else timezone.now()


def max_backoff() -> timedelta:
    """Return the longest wait between two attempts."""
    return timedelta(seconds=settings.SPMS_RETRY_BACKOFF * 2**settings.SPMS_MAX_RETRIES)


def due() -> Q:
    """Return the condition for tasks that may be claimed now, whatever their mode.

    A task that has never run does not wait, as the clocks of two hosts may differ. A longer wait than the
    longest backoff means that a clock was set back, and is over.
    """
    now = timezone.now()
    is_new = Q(status=Task.Status.QUEUED, started_at=None)
    has_waited = Q(claimable_at__lte=now) | Q(claimable_at__gt=now + max_backoff())
    return is_new | (Q(status__in=Task.WAITING) & has_waited)


class TaskQuerySet(models.QuerySet["Task"]):
    """A queryset of tasks."""

    def for_user(self, user: Viewer) -> Self:
        """Return the tasks that this person may see now: all for staff.

        For others, a task about a document belongs to the readers of the document, whoever requested it. Only a task
        of PERSONAL_KINDS belongs to its requester. Without its document, a task about one belongs to staff. A
        pre-render is hidden until it has a PDF.
        """
        if not user.is_active:
            return self.none()
        if user.is_staff:
            return self
        documents = Document.objects.for_user(user).values("pk")
        is_own = Q(requested_by_id=user.pk, document=None, kind__in=PERSONAL_KINDS)
        is_hidden = Q(routed_by=PRERENDER, finished_at=None)
        return self.filter(Q(document_id__in=documents) | is_own).exclude(is_hidden)

    def asked_for(self) -> Self:
        """Leave out the tasks that were begun ahead of any request; use it wherever people's work is counted."""
        return self.exclude(routed_by__in=(PRERENDER, PRERENDER_USED))

    def ahead(self) -> Self:
        """Return the tasks that were begun ahead of a request which has not come yet."""
        return self.filter(routed_by=PRERENDER)

    def in_flight(self) -> Self:
        """Return the tasks that have not ended."""
        return self.filter(status__in=Task.IN_FLIGHT, finished_at=None)

    def waiting(self) -> Self:
        """Return the queued tasks that wait for a worker, or for their next attempt."""
        return self.filter(status__in=Task.WAITING, mode=Task.Mode.QUEUE, finished_at=None)

    def due(self) -> Self:
        """Return the waiting tasks that a worker may claim now."""
        return self.waiting().filter(due())

    def running(self) -> Self:
        """Return the running tasks, those of dead processes included until their leases expire."""
        return self.filter(status=Task.Status.RUNNING, finished_at=None)


class Task(models.Model):
    """One piece of work that may run in the background, its state and its result.

    This row is authoritative. ``token`` names the claim that runs it now: a worker with another token may not
    write. ``lease_until`` is when that claim expires unless it is renewed. ``hinted_at`` is when it was last
    enqueued: the entry in the queue is only a hint, and may be lost or repeated.
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
    picture = models.CharField(
        "name of the picture of its first page", max_length=200, blank=True, db_default="", editable=False
    )
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
            models.Index(fields=("document", "kind", "-created_at"), name="task_of_document"),
            models.Index(fields=("-finished_at",), name="task_finished"),
            models.Index(fields=("status", "-finished_at"), name="task_by_end"),
            # Small however many tasks have ended: read by recovery and the limits of the queue. SQLite uses
            # it only for queries with the same condition without a parameter: finished_at IS NULL.
            models.Index(
                fields=("status", "claimable_at"), condition=Q(finished_at=None), name="task_unfinished"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.pk} ({self.status})"

    @property
    def has_ended(self) -> bool:
        """Whether it succeeded, failed or was cancelled."""
        return self.status not in self.IN_FLIGHT

    def get_absolute_url(self) -> str:
        """Return the URL of the task in the API."""
        return reverse("task-detail", args=[self.pk])

    def staff_requester(self) -> User | None:
        """Return the person who requested the task if they are staff now, read from the database."""
        return User.objects.filter(pk=self.requested_by_id or 0, is_staff=True, is_active=True).first()

    @property
    def filename(self) -> str:
        """The name under which the file that it made is downloaded or sent."""
        return str((self.result or {}).get("filename") or PurePath(self.file).name)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert only: saving the whole row would overwrite concurrent compare-and-set changes."""
        if not self._state.adding and kwargs.get("update_fields") is None:
            raise TypeError("Change a task with documents.queue.lifecycle, or save named fields.")
        super().save(*args, **kwargs)
