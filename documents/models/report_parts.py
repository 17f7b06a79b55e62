"""The parts of annual reports that are drawn already."""

from django.db import models


class DrawnPart(models.Model):
    """A part of an annual report as it was drawn: a chapter, as a rule, without page numbers.

    ``fingerprint`` is of all that it shows and of the design; ``document`` is whose text it shows: with that the
    part goes too. ``digest`` tells a file that was damaged. A part that no report has used for long is removed.
    """

    fingerprint = models.CharField("SHA-256 of what goes in", max_length=64, primary_key=True)
    document = models.ForeignKey("documents.Document", on_delete=models.CASCADE, related_name="drawn_parts")
    digest = models.CharField("SHA-256 of the file", max_length=64)
    file = models.CharField("name in the result storage", max_length=200)
    used_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.file
