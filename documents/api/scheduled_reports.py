"""The endpoints of scheduled reports, for staff."""

from datetime import datetime
from typing import Any, cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response

from documents.api import task_responses
from documents.api.serializers_tasks import ProblemSerializer, TaskSerializer
from documents.api.strict import StrictSerializer
from documents.content import editions
from documents.models import Document, ScheduledReport
from documents.models.mistakes import join_first
from documents.operations import cron, scheduled_reports
from documents.tasks.exports import spec

MAX_RECIPIENTS = 50
MAX_ARGUMENT_CHARACTERS = 200
EXPORT_WORDS = {"what", "format", "filters", "make"}


class ScheduledReportSerializer(StrictSerializer, serializers.ModelSerializer[ScheduledReport]):
    """A scheduled report; ``arguments`` are those of ``POST exports/``, or the edition of a document's PDF."""

    owner = serializers.CharField(source="owner.username", read_only=True)
    arguments = serializers.DictField(required=False, default=dict)
    receivers = serializers.ListField(
        child=serializers.EmailField(), allow_empty=False, max_length=MAX_RECIPIENTS
    )
    is_paused = serializers.BooleanField(required=False, write_only=True)

    class Meta:
        model = ScheduledReport
        fields = (
            *(
                "id",
                "name",
                "owner",
                "kind",
                "document",
                "arguments",
                "receivers",
                "cron",
                "missed",
                "is_paused",
            ),
            *("next_run_at", "last_run_at", "last_task", "last_problem"),
        )
        read_only_fields = ("next_run_at", "last_run_at", "last_task", "last_problem")

    def validate_cron(self, value: str) -> str:
        """Refuse an expression that never matches or matches too often. Raises InvalidCronExpression."""
        cron.validate(value, timezone.localtime())
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Check that the arguments fit the kind. Raises InvalidExport and UnknownEdition."""
        names = ("kind", "document", "arguments")
        if set(attrs) & set(names):
            kind, document, arguments = (
                attrs.get(name, getattr(self.instance, name, None)) for name in names
            )
            attrs["arguments"] = _arguments(kind, document, arguments or {})
        return attrs


def _arguments(kind: Any, document: Document | None, given: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of the task. Raises ValidationError, InvalidExport and UnknownEdition."""
    _require_short_texts(given)
    if kind == ScheduledReport.Kind.EXPORT:
        if document:
            raise serializers.ValidationError(
                {"document": "An export contains many documents; leave out document."}
            )
        _require_known(given, EXPORT_WORDS)
        words = {"what": "", "format": "", "filters": {}} | given
        return spec.parse(**words).as_arguments()
    if document is None:
        raise serializers.ValidationError({"document": "Send the id of the document to render."})
    _require_known(given, set(vars(editions.DEFAULT)))
    words = dict.fromkeys(vars(editions.DEFAULT), "") | given
    return editions.parse(is_annual=not document.kind_info.has_project, **words).as_arguments()


def _require_short_texts(given: dict[str, Any]) -> None:
    """Raise ValidationError unless the filters are an object, and all values plain and short."""
    filters = given.get("filters", {})
    values = [value for name, value in given.items() if name != "filters"]
    values += filters.values() if isinstance(filters, dict) else [None]
    if not all(
        isinstance(value, str | int) and len(str(value)) <= MAX_ARGUMENT_CHARACTERS for value in values
    ):
        message = (
            f"Send texts of at most {MAX_ARGUMENT_CHARACTERS} characters, and filters as an object of them."
        )
        raise serializers.ValidationError({"arguments": message})


def _require_known(given: dict[str, Any], valid_names: set[str]) -> None:
    if unknown := sorted(set(given) - valid_names):
        raise serializers.ValidationError(
            {"arguments": f"Unknown: {join_first(unknown)}; known are: {', '.join(sorted(valid_names))}."}
        )


@extend_schema_view(
    list=extend_schema(responses={200: ScheduledReportSerializer(many=True), 403: ProblemSerializer}),
    retrieve=extend_schema(responses={200: ScheduledReportSerializer, 403: ProblemSerializer}),
)
class ScheduledReportViewSet(viewsets.ModelViewSet[ScheduledReport]):
    """Scheduled exports and PDFs, for staff."""

    serializer_class = ScheduledReportSerializer
    permission_classes = (IsAdminUser,)
    expensive_actions = frozenset({"run"})
    lookup_value_regex = "[0-9]{1,18}"
    http_method_names = ("get", "post", "patch", "delete", "head", "options")

    def get_queryset(self) -> QuerySet[ScheduledReport]:
        """Return all reports: every member of staff manages them."""
        return ScheduledReport.objects.select_related("owner", "document__project")

    def perform_create(self, serializer: serializers.BaseSerializer[ScheduledReport]) -> None:
        """Store a report of the sender with its next run."""
        is_paused = serializer.validated_data.pop("is_paused", False)
        next_run_at = None if is_paused else _next(serializer.validated_data["cron"])
        serializer.save(owner=cast("User", self.request.user), next_run_at=next_run_at)

    def perform_update(self, serializer: serializers.BaseSerializer[ScheduledReport]) -> None:
        """Change a report; its next run is computed again."""
        values = serializer.validated_data
        report = self.get_object()
        is_paused = values.pop("is_paused", report.next_run_at is None)
        next_run_at = None if is_paused else _next(values.get("cron", report.cron))
        serializer.save(next_run_at=next_run_at)

    @extend_schema(request=None, responses={202: TaskSerializer, 200: TaskSerializer, 409: ProblemSerializer})
    @action(detail=True, methods=["post"])
    def run(self, request: Request, pk: str) -> Response:
        """Make the report now and mail it to its receivers; its schedule does not change."""
        return task_responses.task_response(scheduled_reports.run(self.get_object()), 200)


def _next(expression: str) -> datetime | None:
    return cron.next_after(expression, timezone.localtime())
