"""The JSON of notices: whom to notify of a task's end, and every attempt to do so."""

from typing import Any

from rest_framework import serializers

from documents.api.strict import StrictSerializer
from documents.models import Delivery, Subscription, Task
from documents.tasks.notifications import task as notification_task, webhooks


class SubscriptionRequestSerializer(StrictSerializer, serializers.Serializer[Any]):
    """Whom to notify when the task has ended: the sender by mail, an allowed address by webhook."""

    notify = serializers.BooleanField(default=False)
    webhook = serializers.CharField(max_length=500, default="", allow_blank=True)

    def validate_notify(self, value: bool) -> bool:
        """Refuse a mail to a user without an address."""
        if value and not self.context["request"].user.email:
            raise serializers.ValidationError("You have no e-mail address; ask the maintainer to add it.")
        return value

    def validate_webhook(self, value: str) -> str:
        """Refuse an address that is not allowed."""
        if value and (reason := webhooks.find_problem(value)):
            raise serializers.ValidationError(reason)
        return value

    def subscribe(self, task: Task) -> None:
        """Notify the sender of the task's end, as the valid form says."""
        notification_task.subscribe(
            task,
            self.context["request"].user,
            notify=self.validated_data["notify"],
            webhook=self.validated_data["webhook"],
        )


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """One attempt to send a notice."""

    class Meta:
        model = Delivery
        fields = ("at", "status_code", "error", "seconds")


class SubscriptionSerializer(serializers.ModelSerializer[Subscription]):
    """A notice with every attempt to send it."""

    notice_id = serializers.UUIDField(source="pk", read_only=True)
    status = serializers.CharField(source="sender.status", default="waiting", read_only=True)
    deliveries = DeliverySerializer(many=True, read_only=True)

    class Meta:
        model = Subscription
        fields = ("notice_id", "channel", "target", "status", "deliveries")
