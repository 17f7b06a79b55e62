"""Draw the first page of a PDF as a small picture."""

import contextlib
from pathlib import Path

from django.core.exceptions import ValidationError

# Twice the width at which pages show it, for screens with small pixels.
WIDTH_PIXELS = 440
MAX_HEIGHT_PIXELS = 2 * WIDTH_PIXELS
QUALITY = 75


def draw_first_page(pdf: Path, target: Path) -> None:
    """Write a WebP of the first page to ``target``. Raises ValidationError if the PDF cannot be opened."""
    import pypdfium2

    try:
        with contextlib.closing(pypdfium2.PdfDocument(pdf)) as document:
            page = document[0]
            scale = min(WIDTH_PIXELS / page.get_width(), MAX_HEIGHT_PIXELS / page.get_height())
            page.render(scale=scale).to_pil().save(target, "WEBP", quality=QUALITY)
    except pypdfium2.PdfiumError as error:
        raise ValidationError("The first page of this PDF cannot be drawn.") from error
