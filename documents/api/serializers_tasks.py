"""The JSON of tasks: their state, progress, result and problem."""

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from documents import task_warnings
from documents.models import Task
from documents.queue import registry, statistics


class ProgressSerializer(serializers.Serializer[Any]):
    """The progress of a task."""

    phase = serializers.CharField()
    pages = serializers.IntegerField()


class TaskWarningSerializer(serializers.Serializer[Any]):
    """Something that a file lacks or does not show well, for people."""

    section = serializers.CharField(help_text="title of the section, or empty")
    rule = serializers.CharField(help_text="its name, such as table-without-header")
    text = serializers.CharField()


class ResultSerializer(serializers.Serializer[Any]):
    """The result of a task; only PDFs have ``pages`` and ``version``, only exports have ``rows``."""

    url = serializers.CharField(allow_null=True)
    fingerprint = serializers.CharField()
    bytes = serializers.IntegerField(required=False)
    seconds = serializers.FloatField(required=False)
    pages = serializers.IntegerField(required=False)
    version = serializers.IntegerField(required=False)
    rows = serializers.IntegerField(required=False)
    filename = serializers.CharField(required=False)
    media_type = serializers.CharField(required=False)
    warnings = TaskWarningSerializer(many=True, required=False)


class InvalidSerializer(serializers.Serializer[Any]):
    """A member that is not valid."""

    pointer = serializers.CharField(help_text="JSON pointer to the member")
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457 problem details."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = InvalidSerializer(many=True, required=False)  # type: ignore[assignment]


class QueuePositionSerializer(serializers.Serializer[Any]):
    """The position of a task in the queue, from 1, and the seconds until it will probably be done."""

    position = serializers.IntegerField()
    estimated_seconds = serializers.IntegerField()


class TaskSerializer(serializers.ModelSerializer[Task]):
    """A task, its state and its result."""

    task_id = serializers.UUIDField(source="pk", read_only=True)
    progress = serializers.SerializerMethodField()
    result = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()
    queue = serializers.SerializerMethodField()

    class Meta:
        model = Task
        fields = (
            *(
                "task_id",
                "kind",
                "document",
                "status",
                "mode",
                "routed_by",
                "attempts",
                "progress",
                "message",
            ),
            *("queue", "result", "error", "created_at", "started_at", "finished_at"),
        )

    @extend_schema_field(QueuePositionSerializer(allow_null=True))
    def get_queue(self, task: Task) -> dict[str, int] | None:
        """Return the position of the task in the queue, or None if it does not wait there."""
        places = self.context.get("places")
        place = statistics.position(task) if places is None else places.get(task.pk)
        return asdict(place) if place else None

    @extend_schema_field(ProgressSerializer)
    def get_progress(self, task: Task) -> dict[str, object]:
        """Return the phase and the number of pages that are done."""
        return {"phase": task.phase, "pages": task.pages_done}

    @extend_schema_field(ResultSerializer(allow_null=True))
    def get_result(self, task: Task) -> dict[str, object] | None:
        """Return the result and its URL, or None if the task has none yet."""
        if task.result is None:
            return None
        # A list leaves out what only the task itself needs: the first findings of an import.
        is_listed = getattr(self.context.get("view"), "action", "") == "list"
        facts = {name: fact for name, fact in task.result.items() if not (is_listed and name == "first")}
        if "warnings" in facts:
            facts["warnings"] = task_warnings.read(facts["warnings"])
        return {"url": registry.result_url(task), **facts, "fingerprint": task.fingerprint}

    @extend_schema_field(ProblemSerializer(allow_null=True))
    def get_error(self, task: Task) -> dict[str, object] | None:
        """Return the problem that ended the task, or None."""
        return {**task.error, "type": f"urn:spms:problem:{task.error['type']}"} if task.error else None
