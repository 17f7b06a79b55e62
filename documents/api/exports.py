"""The endpoint that begins exports; it responds with a task like any other."""

from dataclasses import replace
from typing import Any, cast

from django.contrib.auth.models import User
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from documents.api import prefer_header, task_responses
from documents.api.serializers_notices import SubscriptionRequestSerializer
from documents.api.serializers_tasks import ProblemSerializer, TaskSerializer
from documents.tasks.exports import spec, task as export_task

MAX_FILTER_CHARACTERS = 100


@extend_schema_field({"anyOf": [{"type": "string", "maxLength": MAX_FILTER_CHARACTERS}, {"type": "integer"}]})
class FilterValue(serializers.CharField):
    """A value to filter rows by: a text or a whole number."""

    def to_internal_value(self, data: Any) -> str:
        """Return the value as a text. Raises ValidationError."""
        if type(data) not in {str, int}:
            raise serializers.ValidationError("Send a text or a whole number.")
        return super().to_internal_value(data)


class ExportSerializer(SubscriptionRequestSerializer):
    """The rows to export and their format; ``filters`` are those of the list of projects or documents."""

    what = serializers.ChoiceField(choices=spec.RESOURCES)
    format = serializers.ChoiceField(
        choices=[(name, export_format.title) for name, export_format in spec.FORMATS.items()]
    )
    filters = serializers.DictField(
        child=FilterValue(max_length=MAX_FILTER_CHARACTERS, allow_blank=True), default=dict
    )
    make = serializers.BooleanField(default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Add the parsed ``export``. Raises InvalidExport."""
        words = {name: attrs[name] for name in ("what", "format", "filters", "make")}
        return attrs | {"export": spec.parse(**words)}


class ExportsView(APIView):
    """Exports of the rows that the sender may see, as CSV, XLSX, JSON Lines or a ZIP of PDFs."""

    expensive_actions = frozenset({"post"})

    @extend_schema(
        parameters=[prefer_header.PREFER],
        request=ExportSerializer,
        responses={
            200: TaskSerializer,
            201: TaskSerializer,
            202: TaskSerializer,
            **dict.fromkeys((409, 422, 500, 504, 507), ProblemSerializer),
        },
    )
    def post(self, request: Request) -> Response:
        """Begin an export, unless one exists of the same rows and they have not changed."""
        form = ExportSerializer(data=request.data, context={"request": request})
        form.is_valid(raise_exception=True)
        user, export = cast("User", request.user), form.validated_data["export"]
        version = spec.current_version(export, user)
        if (existing := export_task.find_existing(export, version)) is not None:
            form.subscribe(existing)
            return task_responses.task_response(existing, 200)
        return task_responses.respond_with_task(
            request, replace(export_task.request_for(export, version), on_begin=form.subscribe)
        )
