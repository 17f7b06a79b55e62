"""Projects, the people in them, and the business areas that own them."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models, transaction

from documents.models.changes import ProjectChange, require_version
from documents.models.text_fields import LineField

type Viewer = User | AnonymousUser

YEAR_VALIDATORS = [MinValueValidator(1980), MaxValueValidator(2100)]
TAG_VALIDATOR = RegexValidator(r"^[A-Z]{2,4}-[0-9]{4}-[0-9]{3}\Z", "A tag looks like SP-2026-012.")


class BusinessArea(models.Model):
    """A part of the agency that owns projects, with its leader."""

    name = LineField(max_length=120, unique=True)
    leader = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="led_areas"
    )
    division = LineField("division that it belongs to", max_length=120, blank=True, default="", db_default="")

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class ProjectQuerySet(models.QuerySet["Project"]):
    """A queryset of projects."""

    def for_user(self, user: Viewer) -> Self:
        """Return the projects that this person may see: all for staff, otherwise those they belong to."""
        if not user.is_active:
            return self.none()
        if user.is_staff:
            return self
        return self.filter(pk__in=projects_of(user))


class Project(models.Model):
    """A research project; its documents are written by its members. ``version`` counts the changes."""

    class Kind(models.TextChoices):
        SCIENCE = "science", "Science project"
        STUDENT = "student", "Student project"
        EXTERNAL = "external", "External partnership"
        CORE = "core_function", "Core function"

    class Status(models.TextChoices):
        NEW = "new", "New"
        PENDING = "pending", "Pending project plan"
        ACTIVE = "active", "Active"
        UPDATE = "updating", "Update requested"
        CLOSURE = "closure_requested", "Closure requested"
        COMPLETED = "completed", "Completed"
        SUSPENDED = "suspended", "Suspended"
        TERMINATED = "terminated", "Terminated"

    title = LineField(max_length=300)
    tag = models.CharField(max_length=20, unique=True, validators=[TAG_VALIDATOR])
    year = models.PositiveSmallIntegerField("year it began", validators=YEAR_VALIDATORS)
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.SCIENCE)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.NEW)
    business_area = models.ForeignKey(BusinessArea, on_delete=models.PROTECT, related_name="projects")
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, through="Membership", related_name="projects")
    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering = ("-year", "tag")

    def __str__(self) -> str:
        return f"{self.tag} {self.title}"

    @transaction.atomic
    def apply_changes(self, values: Mapping[str, Any], *, by: str, version: int | None = None) -> "Project":
        """Store the values that differ from the row as it is now, count one version, and return the row.

        ``by`` is the username of the person. Raises VersionConflict if ``version`` is given and not the stored one,
        and DoesNotExist.
        """
        locked = Project.objects.select_for_update().get(pk=self.pk)
        require_version(locked, version)
        changes = {name: value for name, value in values.items() if getattr(locked, name) != value}
        for name, value in changes.items():
            setattr(locked, name, value)
        if changes:
            locked.save(update_fields=[*changes, "updated_at"])
            locked.record_change(list(changes), by=by)
        return locked

    @transaction.atomic
    def record_change(self, changed: Sequence[str], *, by: str) -> None:
        """Count one version after a change that is stored, and add it to the history."""
        Project.objects.filter(pk=self.pk).update(version=models.F("version") + 1)
        self.refresh_from_db(fields=["version"])
        ProjectChange.objects.create(project=self, version=self.version, by=by, changed=[*changed])


class Membership(models.Model):
    """A person's part in a project."""

    class Role(models.TextChoices):
        LEAD = "lead", "Project lead"
        SCIENTIST = "scientist", "Research scientist"
        TECHNICAL = "technical", "Technical officer"
        SUPERVISOR = "supervisor", "Academic supervisor"
        STUDENT = "student", "Student"
        COLLABORATOR = "collaborator", "Collaborating scientist"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.SCIENTIST)
    position = models.PositiveSmallIntegerField("order on the cover", default=0)

    class Meta:
        ordering = ("position", "pk")
        constraints = (models.UniqueConstraint(fields=("project", "user"), name="one_membership_per_person"),)

    def __str__(self) -> str:
        return f"{self.user} ({self.get_role_display()})"


def projects_of(user: Viewer) -> models.QuerySet[Membership, Any]:
    """Return the ids of a person's projects as a subquery, empty for an anonymous user."""
    return Membership.objects.filter(user_id=user.pk or 0).values("project_id")
