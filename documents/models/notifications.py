"""Subscriptions to a task's end, and the deliveries of their notifications."""

import uuid

from django.conf import settings
from django.db import models


class Subscription(models.Model):
    """A person or a system that is notified when a task has ended, successfully or not."""

    class Channel(models.TextChoices):
        MAIL = "mail", "E-mail"
        WEBHOOK = "webhook", "Webhook"
        FILE = "file", "E-mail with the file"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    task = models.ForeignKey("documents.Task", on_delete=models.CASCADE, related_name="notices")
    channel = models.CharField(max_length=10, choices=Channel.choices)
    target = models.CharField("address", max_length=500)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    sender = models.ForeignKey(
        "documents.Task", on_delete=models.SET_NULL, null=True, blank=True, related_name="sends"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "documents_notice"
        ordering = ("created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("task", "channel", "target", "requested_by"), name="one_notice_per_target"
            ),
        )

    def __str__(self) -> str:
        return f"{self.channel} to {self.target}"


class Delivery(models.Model):
    """One attempt to send a notification, with a webhook's status code or the error."""

    notice = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="deliveries")
    at = models.DateTimeField(auto_now_add=True)
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)
    seconds = models.FloatField()

    class Meta:
        ordering = ("at",)
        verbose_name_plural = "deliveries"

    def __str__(self) -> str:
        return f"{self.notice}: {self.error or self.status_code or 'sent'}"
