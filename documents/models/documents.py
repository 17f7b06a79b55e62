"""A project's documents, and the annual reports."""

from collections.abc import Mapping
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import F, Q

from documents.models import document_types, richtext
from documents.models.projects import YEAR_VALIDATORS, Project, Viewer, projects_of


class DocumentQuerySet(models.QuerySet["Document"]):
    """A queryset of documents."""

    def for_user(self, user: Viewer) -> Self:
        """Return the documents that this person may read, change and render."""
        if not user.is_active:
            return self.none()
        if user.is_staff:
            return self
        return self.filter(project_id__in=projects_of(user))


class Document(models.Model):
    """A project's document, or one year's annual report.

    ``sections`` maps a section's key to sanitised HTML. ``version`` counts the changes of its printed content.
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
    kind = models.CharField(max_length=20, choices=document_types.choices())
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
                condition=Q(kind=document_types.ANNUAL_REPORT.key, project=None)
                | (~Q(kind=document_types.ANNUAL_REPORT.key) & Q(project__isnull=False)),
                name="annual_report_has_no_project",
            ),
        )
        indexes = (models.Index(fields=("kind", "year", "status"), name="document_chapters"),)

    def __str__(self) -> str:
        return f"{self.project.tag} {self.title}" if self.project else self.title

    @property
    def kind_info(self) -> document_types.DocumentType:
        """The kind's title and sections."""
        return document_types.DOCUMENT_TYPES[self.kind]

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
        """Return the name under which an edition is downloaded; an empty text names the default edition."""
        return f"{self} ({edition}).pdf" if edition else self.filename

    def clean(self) -> None:
        """Sanitise the sections. Raises ValidationError if the kind or the limits of rich text do not allow them."""
        kind = document_types.DOCUMENT_TYPES.get(self.kind)
        if kind is None:
            return
        if problem := kind.find_project_problem(has_project=self.project_id is not None):
            raise ValidationError({"project": problem})
        self.sections = richtext.clean_sections(kind, self.sections)

    @transaction.atomic
    def apply_changes(self, values: Mapping[str, Any]) -> "Document":
        """Store the values that differ from the row as it is now, count one version, and return the row.

        ``sections`` are merged into the stored ones. The row is locked, so a concurrent change of other fields is
        not undone. Raises IntegrityError if another document of its kind and year exists, ValidationError if all
        sections are too large together, and DoesNotExist.
        """
        locked = Document.objects.select_for_update().get(pk=self.pk)
        sections = locked.sections | values.get("sections", {})
        if "sections" in values:
            richtext.require_storable(sections)
        merged = {**values, "sections": sections}
        changes = {name: value for name, value in merged.items() if getattr(locked, name) != value}
        for name, value in changes.items():
            setattr(locked, name, value)
        if changes:
            locked.version += 1
            locked.save(update_fields=[*changes, "version", "updated_at"])
        return locked

    def bump_version(self) -> None:
        """Increment the version atomically."""
        Document.objects.filter(pk=self.pk).update(version=F("version") + 1)
        self.refresh_from_db(fields=["version"])
