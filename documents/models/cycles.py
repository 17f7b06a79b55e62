"""Reporting cycles, and the letters that announce them."""

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Count, Q
from django.utils import timezone

from documents.models.projects import YEAR_VALIDATORS
from documents.models.text_fields import LineField, LinesField


class CycleQuerySet(models.QuerySet["Cycle"]):
    """Cycles."""

    def counted(self) -> Self:
        """Return them with their task and the number of their letters in each state."""
        counts = {
            f"{state}_count": Count("letters", filter=Q(letters__state=state))
            for state in Letter.State.values
        }
        cycles = self.select_related("task", "opened_by").annotate(**counts)
        return cycles.order_by("-year")  # Meta.ordering does not apply to an aggregation


class Cycle(models.Model):
    """One year's round of reports: every active project gets a report, and its people a letter.

    ``prepared_at`` is when all reports and letters existed; until then a task creates the missing ones.
    """

    year = models.PositiveSmallIntegerField(
        "year in which its period ends", unique=True, validators=YEAR_VALIDATORS
    )
    due = models.DateField("day on which reports are due")
    subject = LineField("subject of the letter", max_length=200)
    text = LinesField("text of the letter")
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    opened_at = models.DateTimeField(auto_now_add=True)
    prepared_at = models.DateTimeField(null=True, blank=True)
    reports = models.PositiveIntegerField("reports that it made", default=0)
    task = models.ForeignKey(
        "documents.Task", on_delete=models.SET_NULL, null=True, blank=True, related_name="cycles"
    )

    objects = CycleQuerySet.as_manager()

    class Meta:
        ordering = ("-year",)

    def __str__(self) -> str:
        return f"Cycle {self.year - 1}-{self.year}"

    @property
    def is_sending(self) -> bool:
        """Whether a task prepares it or sends its letters."""
        return self.task is not None and not self.task.has_ended

    @property
    def counts(self) -> dict[str, int]:
        """The number of letters in each state; only of a cycle from ``counted``.

        Without a task that sends, a letter whose sender died counts as perhaps sent, even before it is marked.
        """
        counts = {state: getattr(self, f"{state}_count") for state in Letter.State.values}
        if not self.is_sending:
            counts[Letter.State.PERHAPS_SENT] += counts[Letter.State.SENDING]
            counts[Letter.State.SENDING] = 0
        return counts

    @property
    def state(self) -> str:
        """``sending``; ``stopped`` while letters are left but no task sends them; ``done``."""
        if self.is_sending:
            return "sending"
        return "stopped" if self.prepared_at is None or self.counts[Letter.State.WAITING] else "done"


class LetterQuerySet(models.QuerySet["Letter"]):
    """Letters."""

    def waiting(self) -> Self:
        """Return the letters that are still to be sent."""
        return self.filter(state=Letter.State.WAITING)

    def orphaned(self, claim: Any) -> Self:
        """Return the letters in state ``sending`` that belong to another claim than this one."""
        return self.filter(state=Letter.State.SENDING).exclude(claim=claim)


class Letter(models.Model):
    """The mail to one person about all of their projects.

    It is ``sending`` from the moment before its text goes to the mail server until the server's answer is known.
    If the worker dies in between, it becomes ``perhaps_sent``: only a person may have it sent again.
    ``claim`` is the token of the task's claim that sends it.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENDING = "sending", "Sending"
        SENT = "sent", "Sent"
        PERHAPS_SENT = "perhaps_sent", "Perhaps sent"
        FAILED = "failed", "Failed"

    cycle = models.ForeignKey(Cycle, on_delete=models.CASCADE, related_name="letters")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    address = models.CharField(max_length=254, blank=True)
    projects = models.JSONField("tags and titles of their projects", default=list)
    message_id = models.CharField(max_length=320)
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    error = models.CharField(max_length=300, blank=True)
    claim = models.UUIDField(null=True, blank=True)
    delays = models.PositiveSmallIntegerField("how often the server put it off", default=0)
    due_at = models.DateTimeField("when it may be sent", default=timezone.now)
    tried_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    objects = LetterQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        constraints = (models.UniqueConstraint(fields=("cycle", "person"), name="one_letter_per_person"),)
        indexes = (
            models.Index(fields=("cycle", "state", "due_at"), name="letter_due"),
            models.Index(fields=("tried_at",), name="letter_pace"),
        )

    def __str__(self) -> str:
        return f"{self.address or self.person} ({self.state})"
