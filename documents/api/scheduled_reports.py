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
from documents.api.serializers import ProblemSerializer, TaskSerializer
from documents.api.strict import StrictSerializer
from documents.content import editions
from documents.models import Document, ScheduledReport
from documents.operations import cron, scheduled_reports
from documents.tasks.exports import spec

MAX_RECIPIENTS = 50
EXPORT_WORDS = {"what", "format", "filters", "make"}


class ScheduledReportSerializer(StrictSerializer, serializers.ModelSerializer[ScheduledReport]):
    """A scheduled report. ``arguments`` are those of ``POST exports/``, or the edition of a document's PDF."""

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
        """Refuse what never comes or comes too often. Raises InvalidCronExpression."""
        cron.validate(value, timezone.localtime())
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Check that the arguments fit the kind. Raises InvalidExport and UnknownEdition."""
        shaping = ("kind", "document", "arguments")
        if set(attrs) & set(shaping):
            kind, document, given = (attrs.get(name, getattr(self.instance, name, None)) for name in shaping)
            attrs["arguments"] = _arguments(kind, document, given or {})
        return attrs


def _arguments(kind: Any, document: Document | None, given: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments in full."""
    if kind == ScheduledReport.Kind.EXPORT:
        if document:
            raise serializers.ValidationError({"document": "An export is of many; leave out document."})
        _require_known(given, EXPORT_WORDS)
        words = {"what": "", "format": "", "filters": {}} | given
        return spec.parse(**words).as_arguments()
    if document is None:
        raise serializers.ValidationError({"document": "Say which document's PDF is to be made."})
    _require_known(given, set(vars(editions.DEFAULT)))
    words = dict.fromkeys(vars(editions.DEFAULT), "") | given
    return editions.parse(is_annual=not document.kind_info.has_project, **words).as_arguments()


def _require_known(given: dict[str, Any], valid_names: set[str]) -> None:
    if unknown := sorted(set(given) - valid_names):
        raise serializers.ValidationError(
            {"arguments": f"Unknown: {', '.join(unknown)}; known are: {', '.join(sorted(valid_names))}."}
        )


@extend_schema_view(
    list=extend_schema(responses={200: ScheduledReportSerializer(many=True), 403: ProblemSerializer}),
    retrieve=extend_schema(responses={200: ScheduledReportSerializer, 403: ProblemSerializer}),
)
class ScheduledReportViewSet(viewsets.ModelViewSet[ScheduledReport]):
    """Scheduled exports and PDFs, for staff."""

    serializer_class = ScheduledReportSerializer
    permission_classes = (IsAdminUser,)
    http_method_names = ("get", "post", "patch", "delete", "head", "options")

    def get_queryset(self) -> QuerySet[ScheduledReport]:
        """Return all: every maintainer keeps them."""
        return ScheduledReport.objects.select_related("owner", "document__project")

    def perform_create(self, serializer: serializers.BaseSerializer[ScheduledReport]) -> None:
        """Keep it, owned by who made it, with its first time."""
        is_paused = serializer.validated_data.pop("is_paused", False)
        next_run_at = None if is_paused else _next(serializer.validated_data["cron"])
        serializer.save(owner=cast("User", self.request.user), next_run_at=next_run_at)

    def perform_update(self, serializer: serializers.BaseSerializer[ScheduledReport]) -> None:
        """Change it; a new schedule or pause recomputes its next run."""
        values = serializer.validated_data
        report = self.get_object()
        is_paused = values.pop("is_paused", report.next_run_at is None)
        next_run_at = None if is_paused else _next(values.get("cron", report.cron))
        serializer.save(next_run_at=next_run_at)

    @extend_schema(request=None, responses={202: TaskSerializer, 200: TaskSerializer, 409: ProblemSerializer})
    @action(detail=True, methods=["post"])
    def run(self, request: Request, pk: str) -> Response:
        """Make it now, whenever its time is, and mail it to its receivers."""
        return task_responses.task_response(scheduled_reports.run(self.get_object()), 200)


def _next(expression: str) -> datetime | None:
    return cron.next_after(expression, timezone.localtime())
