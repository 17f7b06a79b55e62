"""A project's documents, and the annual reports."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q

from documents.models import approvals, document_types, richtext
from documents.models.changes import DocumentChange, require_version
from documents.models.projects import YEAR_VALIDATORS, Project, Viewer, projects_of

if TYPE_CHECKING:
    from documents.models.images import DocumentImage


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

    ``sections`` maps a section's key to sanitised HTML. ``version`` counts the changes, and ``changes`` lists them;
    ``last_change`` is the one that ``apply_changes`` has just made.
    """

    last_change: DocumentChange | None = None

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
        indexes = (
            models.Index(fields=("kind", "year", "status"), name="document_chapters"),
            models.Index(fields=("-updated_at",), name="document_changed"),
        )

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
    def apply_changes(
        self,
        values: Mapping[str, Any],
        *,
        by: str,
        version: int | None = None,
        other_content: Sequence[str] = (),
    ) -> "Document":
        """Store the values that differ from the row as it is now, count one version, and return the row.

        A change of what is printed resets the approvals (``approvals.resolve``); ``other_content`` names what was
        changed outside the row. ``sections`` are merged into the stored ones; one that is None is removed. The row is
        locked, so a concurrent change of other fields is not undone. ``by`` is the username of the person.

        Raises VersionConflict if ``version`` is given and not the stored one, IntegrityError if another document of
        its kind and year exists, ValidationError if all sections are too large together, and DoesNotExist.
        """
        locked = Document.objects.select_for_update().get(pk=self.pk)
        require_version(locked, version)
        if "sections" in values:
            sections = _merge(locked.sections, values["sections"])
            richtext.require_storable(sections)
            values = {**values, "sections": sections}
        locked._store(approvals.resolve(locked, values, other_content=other_content), by)
        return locked

    def remove_images(self, images: Sequence["DocumentImage"], *, by: str) -> None:
        """Prepare for the removal of its images: it changes the document if its cover or its text shows one.

        An image that could not be prepared is not printed, so nothing that was approved goes with it.
        """
        is_cover = self.cover_image_id in {image.pk for image in images}
        urls = [image.url for image in images if image.file]
        shown = [key for key, html in self.sections.items() if any(url in html for url in urls)]
        self.apply_changes(
            {"cover_image": None} if is_cover else {},
            by=by,
            other_content=[f"sections.{key}" for key in shown],
        )

    def record_creation(self, by: str) -> None:
        """Add the approvals with which it was created to the history."""
        blank = Document(kind=self.kind)
        values = {name: getattr(self, name) for name in ("status", *approvals.APPROVALS.values())}
        history = approvals.resolve(blank, values).history
        if history["approved"]:
            DocumentChange.objects.create(document=self, version=self.version, by=by, **history)

    def _store(self, effect: approvals.Effect, by: str) -> None:
        if not effect.history["changed"] and not effect.columns:
            return
        for name, value in effect.columns.items():
            setattr(self, name, value)
        self.version += 1
        self.save(update_fields=[*effect.columns, "version", "updated_at"])
        self.last_change = DocumentChange.objects.create(
            document=self, version=self.version, by=by, **effect.history
        )


def _merge(stored: Mapping[str, str], sent: Mapping[str, str | None]) -> dict[str, str]:
    return {key: html for key, html in {**stored, **sent}.items() if html is not None}
