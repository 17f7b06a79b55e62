"""JSON of the thresholds, the mode and feedback."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from metrics.flag import DEFAULT_OVERRIDE, MAX_OVERRIDE
from metrics.models import Feedback

SETTINGS = ("auto", "inline", "queue")


class ThresholdSerializer(serializers.Serializer[Any]):
    """A threshold with the results of the last evaluation."""

    name = serializers.CharField()
    description = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    limit = serializers.FloatField()
    unit = serializers.CharField()
    state = serializers.ChoiceField(choices=("inactive", "pending", "firing", "no_data", "stale"))
    since = serializers.DateTimeField(allow_null=True)
    shadow = serializers.FloatField(allow_null=True)
    headroom = serializers.FloatField(allow_null=True)
    routes_to_queue = serializers.BooleanField()
    severity = serializers.CharField()
    samples = serializers.FloatField()
    forecast_seconds = serializers.FloatField(allow_null=True)
    reason = serializers.CharField()


class HostSerializer(serializers.Serializer[Any]):
    """A host as its live processes report it."""

    name = serializers.CharField()
    web_threads = serializers.IntegerField(help_text="0 if it does not serve the web")
    render_slots = serializers.IntegerField(help_text="PDFs that all its processes render at once")
    workers = serializers.IntegerField()
    work_share = serializers.FloatField(
        allow_null=True, help_text="share of the PDFs of the last five minutes; null if there were none"
    )


class ThresholdsSerializer(serializers.Serializer[Any]):
    """The last evaluation."""

    evaluated_at = serializers.DateTimeField(allow_null=True)
    mode = serializers.CharField(help_text="inline or queue")
    source = serializers.CharField()  # type: ignore[assignment]
    limits = serializers.CharField(help_text="start of the SHA-256 of the limits file")
    limits_error = serializers.CharField()
    alarm = serializers.CharField()
    hosts = HostSerializer(many=True)
    thresholds = ThresholdSerializer(many=True)


class ModeSerializer(serializers.Serializer[Any]):
    """The mode in force."""

    setting = serializers.ChoiceField(choices=SETTINGS)
    effective = serializers.CharField(help_text="inline or queue")
    since = serializers.DateTimeField()
    reason = serializers.CharField()
    expires_at = serializers.DateTimeField(allow_null=True)


class TextOnly(serializers.Field[Any, Any, Any, Any]):
    """A field that accepts only JSON strings; DRF would accept a number as a text, and false as an id."""

    def to_internal_value(self, data: Any) -> Any:
        """Refuse anything but a string, then read it as usual."""
        if not isinstance(data, str):
            raise serializers.ValidationError("Send a JSON string.")
        return super().to_internal_value(data)


class Text(TextOnly, serializers.CharField):
    """A text."""


class TaskId(TextOnly, serializers.UUIDField):
    """The id of a task."""


class OverrideSerializer(serializers.Serializer[Any]):
    """An operator's choice of the mode, with a reason. It ends at ``expires_at``, by default after four hours."""

    setting = serializers.ChoiceField(choices=SETTINGS)
    reason = Text(max_length=300)
    expires_at = serializers.DateTimeField(required=False)

    def validate_expires_at(self, value: datetime) -> datetime:
        """Refuse a time in the past or more than seven days away."""
        if not timezone.now() < value <= timezone.now() + MAX_OVERRIDE:
            raise serializers.ValidationError(f"Send a time within the next {MAX_OVERRIDE.days} days.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Add the default end."""
        return {"expires_at": timezone.now() + timedelta(seconds=DEFAULT_OVERRIDE.total_seconds()), **attrs}


class FeedbackSerializer(serializers.ModelSerializer[Feedback]):
    """A complaint or praise, optionally about a task."""

    task = TaskId(source="task_id", required=False, allow_null=True)
    text = Text(max_length=2000, required=False, allow_blank=True)

    class Meta:
        model = Feedback
        fields = ("id", "kind", "text", "task", "created_at")
        read_only_fields = ("created_at",)
