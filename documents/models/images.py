"""The images of documents."""

import uuid
from collections import defaultdict
from pathlib import PurePath
from typing import Self

from django.db import models, transaction
from django.urls import reverse

from documents.models.documents import Document
from documents.models.tasks import Task
from documents.models.text_fields import LineField


def image_path(image: "DocumentImage", filename: str) -> str:
    """Return the name of an image's file from before files were named by their digests."""
    return f"images/{image.pk.hex[:2]}/{image.pk.hex}{PurePath(filename).suffix}"


class DocumentImageQuerySet(models.QuerySet["DocumentImage"]):
    """A queryset of images."""

    def ready(self) -> Self:
        """Return the images that can be shown."""
        return self.exclude(file="")

    def waiting(self) -> Self:
        """Return the images that a task still prepares."""
        return self.filter(file="", task__status__in=Task.IN_FLIGHT)

    @transaction.atomic
    def remove(self, *, by: str) -> int:
        """Delete these images and return how many; a document that prints one of them is changed by that."""
        documents: dict[Document, list[DocumentImage]] = defaultdict(list)
        for image in self.select_related("document"):
            documents[image.document].append(image)
        for document, images in documents.items():
            document.remove_images(images, by=by)
        return self.delete()[0]


class DocumentImage(models.Model):
    """An image of a document, scaled at upload to what print needs.

    A large one has a ``task`` that prepares it; until then it has no file and neither width nor height.
    """

    class State(models.TextChoices):
        READY = "ready", "Ready"
        WAITING = "waiting", "Being prepared"
        FAILED = "failed", "Could not be prepared"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="images")
    file = models.FileField(upload_to=image_path)
    thumbnail = models.CharField(
        "name of the small file", max_length=100, blank=True, db_default="", editable=False
    )
    width = models.PositiveIntegerField("width in pixels", editable=False)
    height = models.PositiveIntegerField("height in pixels", editable=False)
    digest = models.CharField("SHA-256 of the file", max_length=64, editable=False)
    upload_digest = models.CharField(
        "SHA-256 of what was sent", max_length=64, blank=True, db_default="", editable=False
    )
    task = models.ForeignKey(
        "Task", on_delete=models.SET_NULL, null=True, blank=True, related_name="images", editable=False
    )
    caption = LineField(max_length=300, blank=True)
    alternative = LineField(
        "what it shows, for people who cannot see it", max_length=300, blank=True, db_default=""
    )
    note = models.CharField(
        "how its values are printed", max_length=300, blank=True, db_default="", editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DocumentImageQuerySet.as_manager()

    class Meta:
        ordering = ("created_at",)
        indexes = (models.Index(fields=("upload_digest",), name="image_sent"),)

    def __str__(self) -> str:
        return self.caption or str(self.pk)

    @property
    def url(self) -> str:
        """The address to use in a section's ``<img src>``; readers need the right to read the document."""
        return reverse("image-file", args=[self.pk])

    @property
    def alternative_text(self) -> str:
        """What a screen reader says of it: its alternative text, or else its caption."""
        return self.alternative or self.caption

    @property
    def thumbnail_url(self) -> str:
        """The address of the thumbnail."""
        return f"{self.url}?size=thumbnail"

    @property
    def state(self) -> str:
        """Its state, derived from its file and its task, so that no column has to follow them."""
        if self.file:
            return self.State.READY
        return self.State.WAITING if self.task and not self.task.has_ended else self.State.FAILED
