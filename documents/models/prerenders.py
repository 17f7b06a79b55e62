"""The ledger of PDFs that were made ahead of a request, and the sums of their outcomes."""

from datetime import datetime
from typing import Self

from django.db import models, transaction
from django.db.models import F
from django.utils import timezone

from documents.models.documents import Document
from documents.models.tasks import Task


class PrerenderQuerySet(models.QuerySet["Prerender"]):
    """A queryset of pre-renders."""

    def open(self) -> Self:
        """Return those whose outcome is open: they run, or their PDF waits for a request."""
        return self.filter(outcome__in=Prerender.OPEN)

    def settle(self, outcome: str, *, seconds: float | None = None) -> bool:
        """Store the outcome of one open pre-render and add it to the sums; return False if it was settled before.

        ``seconds`` is the computing time, if it is not in the row yet.
        """
        with transaction.atomic():
            row = self.open().select_for_update().first()
            if row is None:
                return False
            row.outcome, row.changed_at = outcome, timezone.now()
            row.seconds = row.seconds if seconds is None else seconds
            row.wasted_seconds += 0.0 if outcome == Prerender.Outcome.USED else row.seconds
            row.save(update_fields=["outcome", "changed_at", "seconds", "wasted_seconds"])
            PrerenderState.add(outcome, row.seconds)
        return True


class Prerender(models.Model):
    """A version of a document whose PDF was made, or considered, ahead of a request.

    ``seconds`` is the time that its last attempt took, ``wasted_seconds`` that of all attempts that were not used.
    ``attempts`` counts how often it was begun: one that gave way is begun again. ``changed_at`` is the time of the
    last change of ``outcome``.
    """

    class Outcome(models.TextChoices):
        RUNNING = "running", "Running"
        READY = "ready", "Ready"
        NEEDLESS = "needless", "Not needed"
        USED = "used", "Used"
        UNUSED = "unused", "Not used"
        CANCELLED = "cancelled", "Gave way"
        FAILED = "failed", "Failed"

    OPEN = (Outcome.RUNNING, Outcome.READY)
    COUNTED = (Outcome.USED, Outcome.UNUSED, Outcome.CANCELLED, Outcome.FAILED)

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="prerenders")
    version = models.PositiveIntegerField("version of the document")
    task = models.OneToOneField(Task, on_delete=models.SET_NULL, null=True, related_name="prerender")
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.RUNNING)
    attempts = models.PositiveSmallIntegerField(default=1)
    seconds = models.FloatField(default=0.0)
    wasted_seconds = models.FloatField(default=0.0)
    begun_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)

    objects = PrerenderQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("document", "version"), name="one_prerender_per_version"),
        )
        indexes = (
            models.Index(fields=("outcome", "-changed_at"), name="prerender_outcome"),
            models.Index(fields=("-begun_at",), name="prerender_begun"),
        )

    def __str__(self) -> str:
        return f"version {self.version} of document {self.document_id}: {self.outcome}"


class PrerenderState(models.Model):
    """The one row of sums since the installation, and whether pre-rendering stopped by itself.

    It is judged by the pre-renders since ``counted_from``. ``stopped_at`` is None while it goes on.
    """

    used = models.PositiveBigIntegerField(default=0)
    unused = models.PositiveBigIntegerField(default=0)
    cancelled = models.PositiveBigIntegerField(default=0)
    failed = models.PositiveBigIntegerField(default=0)
    wasted_seconds = models.FloatField("computing time of those that were not used", default=0.0)
    counted_from = models.DateTimeField(default=timezone.now)
    stopped_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.used} used, {self.unused} not used"

    @classmethod
    def current(cls) -> Self:
        """Return the row, or one with zeros."""
        return cls.objects.filter(pk=1).first() or cls(pk=1)

    @classmethod
    def add(cls, outcome: str, seconds: float) -> None:
        """Add one outcome of Prerender.COUNTED, and its computing time if it was for nothing."""
        if outcome not in Prerender.COUNTED:
            return
        cls.objects.get_or_create(pk=1)
        wasted_seconds = 0.0 if outcome == Prerender.Outcome.USED else seconds
        cls.objects.filter(pk=1).update(
            **{outcome: F(outcome) + 1}, wasted_seconds=F("wasted_seconds") + wasted_seconds
        )

    @classmethod
    def stop(cls, at: datetime | None) -> None:
        """Stop pre-rendering at a time; with None, let it begin again and be judged from now on."""
        cls.objects.get_or_create(pk=1)
        values = {"stopped_at": at} if at else {"stopped_at": None, "counted_from": timezone.now()}
        cls.objects.filter(pk=1).update(**values)
