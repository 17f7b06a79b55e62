"""Django's admin for the raw data."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from documents.content.normalising import normalise_sections
from documents.exceptions import InvalidCronExpression, VersionConflict
from documents.models import (
    BusinessArea,
    Cycle,
    Delivery,
    Document,
    DocumentImage,
    Letter,
    Membership,
    PeriodicTask,
    Project,
    Subscription,
    Task,
    document_types,
)
from documents.models.changes import require_version
from documents.operations import cron


class MembershipInline(admin.TabularInline[Membership, Project]):
    """The team, on the page of its project."""

    model = Membership
    extra = 0
    autocomplete_fields = ("user",)


@admin.register(BusinessArea)
class BusinessAreaAdmin(admin.ModelAdmin[BusinessArea]):
    """Business areas."""

    list_display = ("name", "division", "leader")
    autocomplete_fields = ("leader",)


@admin.register(Project)
class ProjectAdmin(admin.ModelAdmin[Project]):
    """Projects with their team."""

    list_display = ("tag", "title", "kind", "status", "business_area")
    list_filter = ("kind", "status", "business_area", "year")
    search_fields = ("tag", "title")
    inlines = (MembershipInline,)
    readonly_fields = ("version",)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save the team, and count one version if it or a field was changed."""
        super().save_related(request, form, formsets, change)
        changed = [*form.changed_data, *("team" for formset in formsets if formset.has_changed())]
        if change and changed:
            form.instance.record_change(changed, by=request.user.get_username())


class DocumentForm(forms.ModelForm[Document]):
    """A document, whose texts are normalised as in the API."""

    shown_version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["shown_version"] = self.instance.version

    def clean(self) -> dict[str, Any]:
        """Normalise the sections. Raises ValidationError if the kind or the limits of rich text do not allow them.

        It is also raised if someone else has changed the document since the form was shown.
        """
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        try:
            require_version(self.instance, cleaned.get("shown_version"))
        except VersionConflict as error:
            raise ValidationError(str(error)) from error
        kind = document_types.DOCUMENT_TYPES.get(cleaned.get("kind") or self.instance.kind)
        if kind and "sections" in cleaned:
            cleaned["sections"] = normalise_sections(
                kind, cleaned["sections"], self.instance.sections
            ).sections
        return cleaned


@admin.register(Document)
class DocumentAdmin(admin.ModelAdmin[Document]):
    """Documents; their texts are normalised here as in the API."""

    form = DocumentForm
    list_display = ("__str__", "year", "status", "version", "updated_at")
    list_filter = ("kind", "status", "year")
    search_fields = ("project__tag", "project__title")
    autocomplete_fields = ("project",)
    raw_id_fields = ("cover_image",)
    readonly_fields = ("version", "created_at", "updated_at")
    list_select_related = ("project",)

    def save_model(self, request: HttpRequest, obj: Document, form: Any, change: bool) -> None:
        """Save what was changed, as the API does: with the history, and with the approvals that it resets."""
        by = request.user.get_username()
        if not change:
            super().save_model(request, obj, form, change)
            obj.record_creation(by)
            return
        values = {name: form.cleaned_data[name] for name in form.changed_data if name != "shown_version"}
        if "sections" in values:
            values["sections"] = dict.fromkeys(Document.objects.get(pk=obj.pk).sections) | values["sections"]
        stored = obj.apply_changes(values, by=by)
        if stored.last_change and (reset := stored.last_change.describe_reset()):
            self.message_user(request, reset, messages.WARNING)


@admin.register(DocumentImage)
class DocumentImageAdmin(admin.ModelAdmin[DocumentImage]):
    """Images; they are added through the API, which prepares them for print."""

    list_display = ("id", "document", "caption", "state", "width", "height")
    exclude = ("file",)
    readonly_fields = ("id", "document", "file_link", "width", "height", "digest", "task", "created_at")
    list_select_related = ("document__project", "task")

    def delete_model(self, request: HttpRequest, obj: DocumentImage) -> None:
        """Delete an image, and reset the approvals of its document if it prints the image."""
        DocumentImage.objects.filter(pk=obj.pk).remove(by=request.user.get_username())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[DocumentImage]) -> None:
        """Delete images, and reset the approvals of the documents that print them."""
        ids = queryset.values_list("pk", flat=True)
        DocumentImage.objects.filter(pk__in=list(ids)).remove(by=request.user.get_username())

    @admin.display(description="file")
    def file_link(self, image: DocumentImage) -> str:
        """Return a link to the view that checks permissions, as the storage has no public addresses."""
        return format_html('<a href="{}">{}</a>', image.url, image.file.name)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: an image must be prepared and checked by the API."""
        return False


class PeriodicTaskForm(forms.ModelForm[PeriodicTask]):
    """The form of a schedule."""

    def clean_cron(self) -> str:
        """Return the cron expression. Raises ValidationError for one that never matches or matches too often."""
        expression: str = self.cleaned_data["cron"]
        try:
            cron.validate(expression, timezone.localtime())
        except InvalidCronExpression as error:
            raise ValidationError(str(error)) from error
        return expression


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(admin.ModelAdmin[PeriodicTask]):
    """The schedules of the maintenance; clear the next run to pause one."""

    form = PeriodicTaskForm
    list_display = ("kind", "cron", "next_run_at")
    readonly_fields = ("kind",)

    def save_model(self, request: HttpRequest, obj: PeriodicTask, form: Any, change: bool) -> None:
        """Save, and compute the next run from a new cron expression unless the next run was set as well."""
        if form.changed_data == ["cron"] and obj.next_run_at:
            obj.next_run_at = cron.next_after(obj.cron, timezone.localtime())
        super().save_model(request, obj, form, change)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: the first cluster creates the rows."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: PeriodicTask | None = None) -> bool:
        """Return False: the next cluster would create the row again."""
        return False


@admin.register(Task)
class TaskAdmin(admin.ModelAdmin[Task]):
    """Tasks, read-only."""

    list_display = ("id", "kind", "document", "status", "mode", "attempts", "created_at", "finished_at")
    list_filter = ("status", "kind", "mode")
    search_fields = ("id", "fingerprint")
    list_select_related = ("document__project",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: tasks are begun through the API."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Task | None = None) -> bool:
        """Return False: saving the form would overwrite concurrent changes of the task."""
        return False


class DeliveryInline(admin.TabularInline[Delivery, Subscription]):
    """Deliveries of a notification, read-only."""

    model = Delivery
    extra = 0
    can_delete = False
    readonly_fields = ("at", "status_code", "error", "seconds")

    def has_add_permission(self, request: HttpRequest, obj: Subscription | None = None) -> bool:
        """Return False: deliveries are recorded when they happen."""
        return False


@admin.register(Subscription)
class NoticeAdmin(admin.ModelAdmin[Subscription]):
    """Subscriptions to a task's end; they are sent again through the API."""

    list_display = ("id", "channel", "target", "task", "requested_by", "created_at")
    list_filter = ("channel",)
    readonly_fields = ("task", "channel", "target", "requested_by", "sender", "created_at")
    inlines = (DeliveryInline,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: subscriptions are created through the API."""
        return False


@admin.register(Cycle)
class CycleAdmin(admin.ModelAdmin[Cycle]):
    """Cycles, read-only; they are opened on their page or through the API."""

    list_display = ("year", "due", "reports", "opened_by", "opened_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: opening a cycle also begins a task."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Cycle | None = None) -> bool:
        """Return False: people of one cycle would get different letters."""
        return False


@admin.register(Letter)
class LetterAdmin(admin.ModelAdmin[Letter]):
    """Letters, read-only: their state records what has happened."""

    list_display = ("person", "address", "state", "error", "tried_at", "sent_at")
    list_filter = ("state", "cycle")
    search_fields = ("address", "message_id")
    list_select_related = ("person",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: opening a cycle creates its letters."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Letter | None = None) -> bool:
        """Return False: a change by hand could send a person a second letter."""
        return False
