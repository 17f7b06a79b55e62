"""The cache of drawn parts of annual reports."""

from django.db import models


class DrawnPart(models.Model):
    """A drawn part of an annual report: usually a chapter, without page numbers.

    ``fingerprint`` covers its content and the design; ``document`` is the source of its text, and deleting that
    deletes the part. ``digest`` reveals a damaged file. Parts that were not used for long are removed.
    """

    fingerprint = models.CharField("SHA-256 of what goes in", max_length=64, primary_key=True)
    document = models.ForeignKey("documents.Document", on_delete=models.CASCADE, related_name="drawn_parts")
    digest = models.CharField("SHA-256 of the file", max_length=64)
    file = models.CharField("name in the result storage", max_length=200)
    used_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.file
