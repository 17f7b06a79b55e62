"""The JSON of images."""

from rest_framework import serializers

from documents.api.serializers_notices import SubscriptionRequestSerializer
from documents.api.serializers_tasks import TaskSerializer
from documents.models import DocumentImage


class ImageUploadSerializer(SubscriptionRequestSerializer):
    """The multipart form of an upload; with ``notify``, the sender gets a mail when a large image is ready."""

    file = serializers.FileField()
    caption = serializers.CharField(max_length=300, required=False, default="", allow_blank=True)
    alternative = serializers.CharField(
        max_length=300,
        required=False,
        default="",
        allow_blank=True,
        help_text="what the image shows, for people who cannot see it; without it, they get the caption",
    )


class ImageSerializer(serializers.ModelSerializer[DocumentImage]):
    """An image; a section's ``<img src>`` may use its ``url`` at once, even while the image is being prepared.

    Until it is ``ready``, width and height are 0.
    """

    url = serializers.CharField(read_only=True)
    thumbnail = serializers.CharField(source="thumbnail_url", read_only=True)
    state = serializers.CharField(read_only=True, help_text="ready, waiting (being prepared) or failed")

    class Meta:
        model = DocumentImage
        fields = ("id", "url", "thumbnail", "caption", "alternative", "width", "height", "state", "note")
        read_only_fields = ("width", "height", "note")


class WaitingImageSerializer(ImageSerializer):
    """An image with the task that prepares it."""

    task = TaskSerializer(read_only=True)

    class Meta:
        model = DocumentImage
        fields = (*ImageSerializer.Meta.fields, "task")
