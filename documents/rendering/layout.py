"""Lay out and draw documents; fonts, stylesheet and fetcher are loaded once per process."""

import gc
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydyf
from weasyprint import CSS, HTML
from weasyprint.text.fonts import FontConfiguration

from documents.infrastructure import files
from documents.rendering import (
    conformance,
    font_files,
    page_bounds,
    reading_order,
    table_repairs,
    tagging,
    weasyprint_internals,
)
from documents.rendering.fetcher import AllowListFetcher
from documents.rendering.protocol import BASE_URL

# WeasyPrint makes an archive PDF of it; ``conformance`` makes it a PDF/UA-1 as well.
VARIANT = "pdf/a-3a"
STYLESHEET = Path(__file__).parent / "report.css"
# Layouts of one document in which tables are made smaller or their heads are moved.
MAX_REPAIRS = 4
type Finisher = Callable[[Any, pydyf.PDF], None]
WARM_UP_HTML = "<html lang=en-AU><title>Warm</title><h1>Warm</h1><p><b>up</b> <i>hyphenation</i>"


class LayoutEngine:
    """Lays out HTML with our stylesheet, fonts and limits.

    Not thread-safe: make one per process, as it has the font configuration.
    """

    def __init__(self) -> None:
        weasyprint_internals.tag_with(tagging.add_tags)
        reading_order.draw_markers_in_order()
        conformance.keep_stream_lengths()
        self.fonts = FontConfiguration()
        self.fetcher = AllowListFetcher()
        self._stylesheet = CSS(filename=STYLESHEET, font_config=self.fonts)
        self.lay_out(HTML(string=WARM_UP_HTML)).write_pdf(pdf_variant=VARIANT)
        # Collecting cyclic garbage between renders only makes long documents a fifth faster.
        gc.disable()
        gc.collect()
        gc.freeze()

    def read(self, path: str) -> HTML:
        """Parse an HTML file. Raises OSError."""
        with Path(path).open("rb") as stream:
            return HTML(file_obj=stream, encoding="utf-8", base_url=BASE_URL, url_fetcher=self.fetcher)

    def lay_out(self, html: HTML, *more_css: CSS) -> Any:
        """Return the laid out pages of a document, not drawn yet; ``more_css`` overrides the stylesheet.

        Tables that do not fit are repaired, which takes another layout each time.
        """
        stylesheets = [self._stylesheet, *more_css]
        for _ in range(MAX_REPAIRS):
            document = self._render(html, stylesheets)
            if not table_repairs.repair(page_bounds.examine(document)):
                return document
            del document
            self.collect()
        return self._render(html, stylesheets)

    def _render(self, html: HTML, stylesheets: list[CSS]) -> Any:
        return html.render(font_config=self.fonts, stylesheets=stylesheets, pdf_variant=VARIANT)

    def collect(self) -> None:
        """Free the memory of the last document; the collector is off during layout."""
        gc.collect()

    def css(self, text: str) -> CSS:
        """Parse the text of a stylesheet."""
        return CSS(string=text, font_config=self.fonts, url_fetcher=self.fetcher)


class HashingWriter:
    """A binary file that counts its bytes and computes its SHA-256 as it is written."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("wb")
        self._sha256 = hashlib.sha256()
        self.size_bytes = 0

    def write(self, data: bytes) -> int:
        """Write all of ``data``."""
        self._sha256.update(data)
        self.size_bytes += len(data)
        return self._stream.write(data)

    def close(self, *, is_lasting: bool) -> str:
        """Close the file, synced to the disk if it ``is_lasting``, and return its SHA-256."""
        if is_lasting:
            files.sync(self._stream)
        self._stream.close()
        return self._sha256.hexdigest()


def finish(_document: Any, pdf: pydyf.PDF) -> None:
    """Do what every PDF needs between drawing and writing."""
    font_files.shrink(pdf)
    conformance.map_all_glyphs(pdf)
    conformance.use_small_profile(pdf)
    conformance.declare(pdf)


def render_pdf(
    document: Any,
    path: Path,
    *,
    is_lasting: bool = True,
    finisher: Finisher | None = None,
    **options: Any,
) -> tuple[str, int]:
    """Draw a laid out document into a complete file; return its SHA-256 and its size in bytes.

    It is synced to the disk if it ``is_lasting``; ``options`` are those of WeasyPrint's ``write_pdf``.
    """

    def finish_all(document: Any, pdf: pydyf.PDF) -> None:
        finish(document, pdf)
        if finisher:
            finisher(document, pdf)

    writer = HashingWriter(path)
    document.write_pdf(writer, pdf_variant=VARIANT, finisher=finish_all, **options)
    return writer.close(is_lasting=is_lasting), writer.size_bytes
