"""The JSON of projects and documents."""

from typing import Any, ClassVar

from django.db import IntegrityError, transaction
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from documents.api.serializers_text import TextWarningSerializer
from documents.api.strict import StrictSerializer
from documents.content.normalising import TextWarning, find_missing_images, normalise_sections
from documents.models import (
    Document,
    DocumentChange,
    DocumentImage,
    Membership,
    Project,
    document_types,
)
from documents.models.approvals import APPROVALS
from documents.models.changes import require_version
from documents.tasks.images import inline_images


class MembershipSerializer(serializers.ModelSerializer[Membership]):
    """A member of a project."""

    user = serializers.CharField(source="user.username")
    name = serializers.CharField(source="user.get_full_name")

    class Meta:
        model = Membership
        fields = ("user", "name", "role")


class VersionField(serializers.IntegerField):
    """The version, which counts the changes; a change that names an older one is refused."""

    def __init__(self, **options: Any) -> None:
        help_text = "Send it with a change to have it refused (409) if someone else has changed it meanwhile."
        super().__init__(min_value=1, max_value=2**31 - 1, required=False, help_text=help_text, **options)


class ProjectSerializer(StrictSerializer, serializers.ModelSerializer[Project]):
    """A project with its team."""

    version = VersionField()
    area_name = serializers.CharField(source="business_area.name", read_only=True)
    team = MembershipSerializer(source="memberships", many=True, read_only=True)

    class Meta:
        model = Project
        fields = (
            *("id", "title", "tag", "year", "kind", "status", "business_area", "area_name", "team"),
            *("version", "created_at", "updated_at"),
        )

    def create(self, validated_data: dict[str, Any]) -> Project:
        """Store a new project, whose version is 1."""
        return super().create(_without(validated_data, "by", "version"))

    def update(self, instance: Project, validated_data: dict[str, Any]) -> Project:
        """Store the named members only. Raises VersionConflict."""
        values = _without(validated_data, "by", "version")
        version = validated_data.get("version")
        return instance.apply_changes(values, by=validated_data["by"], version=version)


class VisibleProjectField(serializers.PrimaryKeyRelatedField[Project]):
    """A reference to a project that the sender may see; other projects are reported as missing."""

    def get_queryset(self) -> Any:
        """Return the projects to choose from."""
        return Project.objects.for_user(self.context["request"].user)


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})
class SectionsField(serializers.JSONField):
    """Rich text by section key."""


@extend_schema_field({"type": "object", "additionalProperties": {"type": "boolean"}})
class ApprovalsField(serializers.Field[Any, Any, Any, Any]):
    """The three approvals by name; only staff may change them."""

    def to_representation(self, value: Document) -> dict[str, bool]:
        """Return True for each approval that was given."""
        return {name: getattr(value, column) for name, column in APPROVALS.items()}

    def to_internal_value(self, data: Any) -> dict[str, bool]:
        """Return the values of the model's fields. Raises ValidationError."""
        if not isinstance(data, dict) or not set(data) <= set(APPROVALS):
            raise serializers.ValidationError(f"Send an object with any of: {', '.join(APPROVALS)}.")
        if not all(isinstance(given, bool) for given in data.values()):
            raise serializers.ValidationError("Send true or false for each approval.")
        return {APPROVALS[name]: given for name, given in data.items()}


class DocumentSerializer(StrictSerializer, serializers.ModelSerializer[Document]):
    """A document with its sections; a PATCH merges them."""

    project = VisibleProjectField(required=False, allow_null=True)
    sections = SectionsField(required=False)
    approvals = ApprovalsField(source="*", required=False)
    title = serializers.CharField(read_only=True)
    warnings = serializers.SerializerMethodField(
        help_text="What of the sections is not printed, and what to do."
    )
    version = VersionField()
    approvals_reset = serializers.SerializerMethodField(
        help_text="The approvals that this change has reset, or an empty text."
    )
    _warnings: tuple[TextWarning, ...] = ()

    class Meta:
        model = Document
        fields = (
            *("id", "project", "kind", "year", "title", "status", "sections", "approvals", "cover_image"),
            *("version", "created_at", "updated_at", "warnings", "approvals_reset"),
        )
        # create() and update() report the constraints of the database, with a message that says what to do.
        validators: ClassVar[list[Any]] = []

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Check what cannot change, and the project, sections and cover image against the kind and the document."""
        if self.instance:
            require_version(self.instance, attrs.get("version"))
        self._check_fixed(attrs)
        kind = document_types.DOCUMENT_TYPES[attrs.get("kind") or self.instance.kind]  # type: ignore[union-attr]
        if not self.instance and (
            problem := kind.find_project_problem(has_project=bool(attrs.get("project")))
        ):
            raise serializers.ValidationError({"project": problem})
        if "sections" in attrs:
            normalised = normalise_sections(kind, attrs["sections"], getattr(self.instance, "sections", {}))
            attrs["sections"], self._warnings = normalised.sections, normalised.warnings
        self._check_cover_image(attrs.get("cover_image"))
        return attrs

    @extend_schema_field(TextWarningSerializer(many=True))
    def get_warnings(self, document: Document) -> list[dict[str, object]]:
        """Return what the sections just sent have lost, and the images that others are missing."""
        others = document.sections.keys() - {warning.section for warning in self._warnings}
        missing = find_missing_images({key: document.sections[key] for key in sorted(others)})
        return [warning.as_json() for warning in (*self._warnings, *missing)]

    def get_approvals_reset(self, document: Document) -> str:
        """Return what the change just made has reset."""
        return document.last_change.describe_reset() if document.last_change else ""

    def create(self, validated_data: dict[str, Any]) -> Document:
        """Store a new document. Raises ValidationError if one of its kind and year exists."""
        try:
            with transaction.atomic():
                document = super().create(_without(validated_data, "by", "version"))
                document.sections = self._adopt_images(document, document.sections)
                document.save(update_fields=["sections"])
                document.record_creation(validated_data["by"])
                return document
        except IntegrityError as error:
            raise _exists_already(validated_data["kind"], validated_data["year"]) from error

    def update(self, instance: Document, validated_data: dict[str, Any]) -> Document:
        """Store the named members only.

        Raises VersionConflict, and ValidationError if another document of its kind and year exists.
        """
        values = _without(validated_data, "by", "version")
        try:
            if "sections" in values:
                values["sections"] = self._adopt_images(instance, values["sections"])
            version = validated_data.get("version")
            return instance.apply_changes(values, by=validated_data["by"], version=version)
        except IntegrityError as error:
            raise _exists_already(instance.kind, validated_data.get("year", instance.year)) from error

    def _adopt_images(self, document: Document, sections: dict[str, str]) -> dict[str, str]:
        adopted, warnings = inline_images.adopt(document, sections)
        self._warnings = (*self._warnings, *warnings)
        return adopted

    def _check_fixed(self, attrs: dict[str, Any]) -> None:
        for name in ("kind", "project"):
            if self.instance and name in attrs and attrs[name] != getattr(self.instance, name):
                raise serializers.ValidationError(
                    {name: f"The {name} of a document cannot change; create another."}
                )

    def _check_cover_image(self, image: DocumentImage | None) -> None:
        if image and (not self.instance or image.document_id != self.instance.pk):
            raise serializers.ValidationError({"cover_image": "Upload the image to this document first."})


class DocumentItemSerializer(DocumentSerializer):
    """A document in a list: without its sections, which may be megabytes, and what is said of them."""

    sections = None  # type: ignore[assignment]
    warnings = None  # type: ignore[assignment]
    approvals_reset = None  # type: ignore[assignment]

    class Meta(DocumentSerializer.Meta):
        fields = tuple(  # type: ignore[assignment]
            name
            for name in DocumentSerializer.Meta.fields
            if name not in {"sections", "warnings", "approvals_reset"}
        )


class DocumentChangeSerializer(serializers.ModelSerializer[DocumentChange]):
    """A change of a document; ``approved``, ``withdrawn`` and ``reset`` name approvals, or ``status``."""

    changed = serializers.ListField(child=serializers.CharField())
    approved = serializers.ListField(child=serializers.CharField())
    withdrawn = serializers.ListField(child=serializers.CharField())
    reset = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = DocumentChange
        fields = ("version", "at", "by", "changed", "approved", "withdrawn", "reset")


def _without(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def _exists_already(kind: str, year: int) -> serializers.ValidationError:
    title = document_types.DOCUMENT_TYPES[kind].title.lower()
    return serializers.ValidationError({"year": f"There is a {title} for {year} already; change that one."})
