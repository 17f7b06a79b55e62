"""The history of documents and projects: who changed what when, and what became of the approvals."""

from typing import Any, Self

from django.db import models
from django.utils import timezone

from documents.exceptions import VersionConflict
from documents.models.mistakes import shortened

MAX_LISTED = 20
TITLES = {
    "project_lead": "project lead",
    "area_lead": "business area lead",
    "directorate": "directorate",
    "status": "the status “Approved”",
}


class Change(models.Model):
    """A change that made a ``version``. ``by`` is a username, or empty for a command.

    ``changed`` names the members as the API does: ``status``, ``sections.aims``, ``approvals.directorate``.
    """

    version = models.PositiveIntegerField()
    at = models.DateTimeField(default=timezone.now)
    by = models.CharField("username", max_length=150, blank=True)
    changed = models.JSONField(default=list)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        names = ", ".join(self.changed)
        return f"{timezone.localtime(self.at):%d %b %Y %H:%M} {self.by or 'the system'}: {names}"

    def as_json(self) -> dict[str, Any]:
        """Return it as a member of a problem."""
        return {"version": self.version, "at": self.at.isoformat(), "by": self.by, "changed": self.changed}


class DocumentChangeQuerySet(models.QuerySet["DocumentChange"]):
    """A queryset of changes of documents."""

    def of_approvals(self) -> Self:
        """Return the changes that gave, withdrew or reset an approval."""
        return self.exclude(approved=[], withdrawn=[], reset=[])


class DocumentChange(Change):
    """A change of a document, or its creation with approvals.

    ``approved`` and ``withdrawn`` name the approvals that a person gave and took back, ``reset`` those that lapsed
    because what they approved was changed. Besides the three approvals they name ``status``, for “Approved”.
    """

    document = models.ForeignKey("documents.Document", on_delete=models.CASCADE, related_name="changes")
    approved = models.JSONField(default=list)
    withdrawn = models.JSONField(default=list)
    reset = models.JSONField(default=list)

    objects = DocumentChangeQuerySet.as_manager()

    class Meta:
        ordering = ("-version", "-pk")
        indexes = (models.Index(fields=("document", "version"), name="document_history"),)

    def describe_reset(self) -> str:
        """Return which approvals this change reset and what to do, or an empty text."""
        if not self.reset:
            return ""
        return (
            f"Reset, because the content changed: {describe(self.reset)}. "
            f"Staff can approve version {self.version} once they have read it."
        )

    def lines(self) -> list[str]:
        """Return what became of the approvals, a line for each kind of event."""
        events = {"approved": self.approved, "withdrew": self.withdrawn}
        lines = [f"{verb} {describe(names)}" for verb, names in events.items() if names]
        if self.reset:
            lapsed = {*self.reset, *(f"approvals.{name}" for name in self.reset)}
            names = [name.removeprefix("sections.") for name in self.changed if name not in lapsed]
            changed = shortened(", ".join(names), 200)
            lines.append(f"changed {changed}, which reset {describe(self.reset)}")
        return lines


class ProjectChange(Change):
    """A change of a project or of its team."""

    project = models.ForeignKey("documents.Project", on_delete=models.CASCADE, related_name="changes")

    class Meta:
        ordering = ("-version", "-pk")
        indexes = (models.Index(fields=("project", "version"), name="project_history"),)


def describe(names: list[str]) -> str:
    """Return approvals as a text: “project lead, directorate, the status “Approved””."""
    return ", ".join(TITLES.get(name, name) for name in names)


def require_version(row: Any, version: int | None) -> None:
    """Raise VersionConflict, with what changed since ``version``, unless a document or project still has it.

    No version asks for nothing.
    """
    if version is None or version == row.version:
        return
    newest = list(row.changes.filter(version__gt=version)[:MAX_LISTED])
    since = "; ".join(map(str, newest[:3]))
    raise VersionConflict(
        f"You sent a change of version {version}, and version {row.version} is stored. "
        f"{f'Changed meanwhile: {since}. ' if since else ''}Get it again, and repeat your change.",
        version=row.version,
        changes=[change.as_json() for change in newest],
    )
