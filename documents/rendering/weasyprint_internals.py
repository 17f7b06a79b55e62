"""WeasyPrint's internals. Its version is pinned, and a test names internals that have moved.

Only this module and ``page_bounds``, which reads the boxes of laid out pages, use them.

Drawing a report in parts needs three things that the public interface does not offer: leaving out the fonts of a
part, embedding fonts that other parts use, and drawing the margin boxes of one page on another. The modules are
imported where they are used: if one has moved, reports are rendered as a whole.
"""

import contextlib
import copy
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import Any

import pydyf

# Module, names in it, and their purpose.
NEEDED = (
    ("weasyprint.pdf", ("build_fonts_dictionary",), "leaving fonts out of a part"),
    ("weasyprint.pdf", ("add_tags",), "tagging for screen readers"),
    ("weasyprint.pdf.fonts", ("Font.get_unused_glyph_id",), "numbering glyphs that no font has"),
    ("weasyprint.pdf.stream", ("Stream.add_font", "Stream.transform"), "embedding the fonts of all parts"),
    ("weasyprint.text.ffi", ("ffi", "gobject", "pango"), "finding the fonts of all parts"),
    ("weasyprint.draw", ("draw_stacking_context",), "drawing headers and footers"),
    ("weasyprint.draw.text", ("draw_text",), "drawing page numbers"),
    ("weasyprint.draw", ("draw_inline_level", "draw_block_level"), "drawing markers before their texts"),
    (
        "weasyprint.stacking",
        ("StackingContext.from_box", "_dispatch"),
        "drawing headers, footers and markers",
    ),
    ("weasyprint.text.line_break", ("Layout.reactivate", "line_size"), "measuring page numbers"),
    ("weasyprint.formatting_structure.boxes", ("MarginBox", "TextBox"), "finding headers and footers"),
    ("weasyprint.formatting_structure.boxes", ("ReplacedBox", "TableBox"), "checking the pages"),
)
POINTS_PER_PIXEL = 0.75
PAGE_NUMBER = "@bottom-right"


class WeasyPrintIncompatible(Exception):
    """WeasyPrint's internals have changed: reports cannot be drawn in parts."""


def missing_internals() -> list[str]:
    """Return the internals that are missing, each with its purpose."""
    return [
        f"{module}.{name} ({purpose})"
        for module, names, purpose in NEEDED
        for name in names
        if not _exists(module, name)
    ]


def check_compatible() -> None:
    """Raise WeasyPrintIncompatible if any internal is missing."""
    if missing := missing_internals():
        raise WeasyPrintIncompatible(f"WeasyPrint no longer has {', '.join(missing)}.")


def _exists(module: str, name: str) -> bool:
    try:
        value: Any = import_module(module)
        for step in name.split("."):
            value = getattr(value, step)
    except (ImportError, AttributeError):
        return False
    return True


def tag_with(add_tags: Callable[..., None]) -> None:
    """Have WeasyPrint tag all documents with this function in the place of its own."""
    from weasyprint import pdf

    pdf.add_tags = add_tags


@contextlib.contextmanager
def without_embedded_fonts() -> Iterator[None]:
    """Draw without embedding fonts: the pages name them, and the assembly of the parts embeds each font once.

    A glyph that no font has is numbered by its character instead of its order, so that all parts agree.
    """
    from weasyprint import pdf
    from weasyprint.pdf.fonts import Font

    def names_only(_pdf: Any, fonts: dict[int, Any], *_: Any) -> Any:
        return pydyf.Dictionary({font.hash: pydyf.Dictionary({"Type": "/Font"}) for font in fonts.values()})

    def by_character(font: Any, character: int) -> int:
        beyond = 65_536 - font.glyph_count
        return int(font.missing.setdefault(character, font.glyph_count + character % beyond))

    originals = pdf.build_fonts_dictionary, Font.get_unused_glyph_id
    pdf.build_fonts_dictionary, Font.get_unused_glyph_id = names_only, by_character
    try:
        yield
    finally:
        pdf.build_fonts_dictionary, Font.get_unused_glyph_id = originals


def used_fonts(document: Any) -> dict[str, dict[str, Any]]:
    """Return the glyphs that a drawn document shows, by the name of their font in it, as values for JSON."""
    used: dict[str, dict[str, Any]] = {}
    for font in document.fonts.values():
        entry = used.setdefault(font.hash, {"widths": {}, "texts": {}, "missing": {}})
        entry |= {"family": font.family, "style": font.style, "weight": font.weight}
        entry["widths"] |= font.widths
        entry["texts"] |= font.to_unicode
        entry["missing"] |= font.missing
    return used


class PageStamper:
    """Draws for pages of other documents with the fonts of this document, which must be written afterwards."""

    def __init__(self, document: Any, page_number: int) -> None:
        self._document = document
        self._page = document.pages[page_number]
        self.resources = pydyf.Dictionary(
            {
                name: pydyf.Dictionary()
                for name in ("ExtGState", "XObject", "Pattern", "Shading", "ColorSpace")
            }
        )

    def add_fonts(self, used: dict[str, dict[str, Any]]) -> None:
        """Have the document embed the fonts and glyphs of others (see ``used_fonts``).

        Raises WeasyPrintIncompatible.
        """
        stream = self._stream()
        for name, entry in used.items():
            font = _load_font(stream, self._document.font_config, entry)
            if font.hash != name:
                raise WeasyPrintIncompatible(f"The font {entry['family']} has another name in this process.")
            # Existing entries win: as in a single document, the first page that shows a glyph defines it.
            font.widths = {**_by_glyph(entry["widths"]), **font.widths}
            font.to_unicode = {**_by_glyph(entry["texts"]), **font.to_unicode}
            font.missing = {**_by_glyph(entry["missing"]), **font.missing}

    def draw_margins(self) -> bytes:
        """Return the PDF operators that draw the margin boxes of the page, except its number."""
        from weasyprint.draw import draw_stacking_context
        from weasyprint.stacking import StackingContext

        stream = self._stream()
        for box in self._margin_boxes():
            if box.at_keyword != PAGE_NUMBER:
                draw_stacking_context(stream, StackingContext.from_box(box, self._page._page_box))
        return _bytes(stream)

    def draw_numbers(self, texts: Iterable[str]) -> Iterator[bytes]:
        """Yield the operators that draw each text in place of the page number, aligned right."""
        from weasyprint.draw.text import draw_text
        from weasyprint.formatting_structure.boxes import TextBox
        from weasyprint.text.line_break import line_size

        [margin_box] = [box for box in self._margin_boxes() if box.at_keyword == PAGE_NUMBER]
        [sample] = [box for box in margin_box.descendants() if isinstance(box, TextBox)]
        right = sample.position_x + sample.width
        box = sample.copy()
        box.pango_layout = copy.copy(sample.pango_layout)
        for text in texts:
            box.pango_layout.text = box.text = text
            box.pango_layout.reactivate(box.style)
            box.width, _ = line_size(box.pango_layout.get_first_line()[0], box.style)
            box.position_x = right - box.width
            stream = self._stream()
            draw_text(stream, box, 0, "clip", "none")
            yield _bytes(stream)

    def _margin_boxes(self) -> list[Any]:
        from weasyprint.formatting_structure.boxes import MarginBox

        return [box for box in self._page._page_box.children if isinstance(box, MarginBox)]

    def _stream(self) -> Any:
        """Return an empty stream whose unit is the pixel.

        It continues the stream of a page, which ends with points counted from the top left corner.
        """
        from weasyprint.pdf.stream import Stream

        page = self._page
        stream = Stream(
            self._document.fonts, (0, 0, page.width, page.height), self.resources, {}, None, {}, None
        )
        stream.transform(a=POINTS_PER_PIXEL, d=POINTS_PER_PIXEL)
        return stream


def _load_font(stream: Any, font_config: Any, entry: dict[str, Any]) -> Any:
    """Add a font to the stream's document by its description, and return it. Raises WeasyPrintIncompatible."""
    from weasyprint.text.ffi import ffi, gobject, pango

    description = ffi.gc(pango.pango_font_description_new(), pango.pango_font_description_free)
    family = ffi.new("char[]", entry["family"].encode())
    pango.pango_font_description_set_family(description, family)
    pango.pango_font_description_set_style(description, entry["style"])
    pango.pango_font_description_set_weight(description, entry["weight"])
    pango.pango_font_description_set_absolute_size(description, 16 * 1024)
    context = ffi.gc(pango.pango_font_map_create_context(font_config.font_map), gobject.g_object_unref)
    pango_font = pango.pango_font_map_load_font(font_config.font_map, context, description)
    if pango_font == ffi.NULL:
        raise WeasyPrintIncompatible(f"The font {entry['family']} cannot be found.")
    font, _size = stream.add_font(ffi.gc(pango_font, gobject.g_object_unref))
    return font


def _by_glyph[Value](values: dict[str, Value]) -> dict[int, Value]:
    return {int(glyph): value for glyph, value in values.items()}


def _bytes(stream: Any) -> bytes:
    return b"\n".join(stream.stream)
