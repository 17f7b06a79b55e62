"""A document on its way from HTML to pages, and everything that is repaired on it.

Before the layout: its text (``page_text``), its structure for screen readers (``structure_repairs``), characters
that only one font knows, indents and wide tables. After a layout: tables that do not fit (``table_repairs``). After
a drawing: characters that no font has.
"""

from collections.abc import Callable
from typing import Any

from weasyprint import CSS

from documents.rendering import glyphs, indents, page_losses, page_text, structure_repairs, table_repairs
from documents.rendering.layout import LayoutEngine
from documents.rendering.missing_content import MissingContent
from documents.rendering.render_log import RenderLog


class Draft:
    """One HTML file with its repairs; a log must have started for it."""

    def __init__(self, engine: LayoutEngine, path: str, log: RenderLog) -> None:
        """Read and repair a file. Raises OSError."""
        self._engine, self._log = engine, log
        self.html = engine.read(path)
        self._root = self.html.etree_element
        page_text.prepare(self._root)
        self._missing = structure_repairs.repair(self._root)
        self._print_boxes(glyphs.private_characters(self._root))
        indents.bound(self._root)
        table_repairs.mark_wide(self._root)

    def lay_out(self, *css: CSS) -> Any:
        """Return the laid out pages; ``css`` overrides the stylesheet."""
        self._document = self._engine.lay_out(self.html, *css)
        return self._document

    def draw[Drawn](self, write: Callable[[Any], Drawn], *css: CSS) -> Drawn:
        """Lay the document out, have ``write`` draw it, and return what that returns.

        It is done twice if a character has no glyph: a screen reader cannot read such a glyph, but it reads a box.
        """
        drawn = write(self.lay_out(*css))
        if self.replace_unknown():
            drawn = write(self.lay_out(*css))
        return drawn

    def replace_unknown(self) -> bool:
        """Print boxes in the place of characters without a glyph; return True if there are any.

        They are known when the document is drawn, which must then be laid out and drawn again.
        """
        unknown = self._log.take_characters()
        self._print_boxes(unknown)
        return bool(unknown)

    @property
    def missing(self) -> MissingContent:
        """What the pages lack, as soon as they are drawn."""
        return self._missing + self._log.missing + page_losses.find(self._document, self._root)

    def _print_boxes(self, characters: str) -> None:
        """Print boxes in the place of characters, and remember where those were."""
        self._missing += MissingContent(characters=glyphs.locate(characters, self._root))
        glyphs.replace(characters, self._root)
