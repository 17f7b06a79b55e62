"""Repair the structure of authors' texts for screen readers: headings, tables and links. See also ``table_repairs``.

Nothing here changes how a page looks, except for the cells that rows of a table lack.
"""

from typing import Any

from documents.rendering import table_grids
from documents.rendering.glyphs import Titles
from documents.rendering.missing_content import MissingContent

AUTHORS_HEADINGS = frozenset({"h2", "h3", "h4", "h5"})
OUR_TABLES = frozenset({"facts", "projects"})
OUR_IMAGES = frozenset({"cover-image", "cover-photo", "chapter-image"})
# What tagging reads: the level of a heading in the document.
LEVEL = "data-level"
MAX_LEVEL = 6


def repair(root: Any) -> MissingContent:
    """Mend the HTML of a document or a part in place, and return what only its authors can mend."""
    reader = _Repair()
    for element in root.iter():
        if isinstance(element.tag, str):
            reader.enter(element)
    return MissingContent(headers=reader.headers, alternatives=reader.alternatives)


class _Repair:
    """Goes through elements in their order; knows the titles over them, and counts tables and images under each."""

    def __init__(self) -> None:
        self._titles = Titles()
        self._headings: list[str] = []
        self._base_level = 1
        self._tables = self._images = 0
        self.headers: dict[str, list[int]] = {}
        self.alternatives: dict[str, list[int]] = {}

    def enter(self, element: Any) -> None:
        """Mend an element."""
        tag = element.tag
        if self._titles.enter(element):
            self._base_level, self._headings = int(tag[1]), []
            self._tables = self._images = 0
        elif tag in AUTHORS_HEADINGS:
            self._set_level(element)
        elif tag == "table" and element.get("class") not in OUR_TABLES:
            self._repair_table(element)
        elif tag == "figure":
            _describe_image(element)
        elif tag == "img" and element.get("class") not in OUR_IMAGES:
            self._check_image(element)
        elif tag == "a" and not _has_content(element) and element.find(".//img") is None:
            element.attrib.pop("href", None)

    def _set_level(self, heading: Any) -> None:
        """Set the level of a heading, below those over it and without a gap; one without content has none."""
        if not _has_content(heading):
            return
        while self._headings and self._headings[-1] >= heading.tag:
            self._headings.pop()
        self._headings.append(heading.tag)
        heading.set(LEVEL, str(min(self._base_level + len(self._headings), MAX_LEVEL)))

    def _repair_table(self, table: Any) -> None:
        self._tables += 1
        if not table_grids.repair(table):
            self.headers.setdefault(self._titles.current, []).append(self._tables)

    def _check_image(self, image: Any) -> None:
        self._images += 1
        if not image.get("alt", "").strip():
            self.alternatives.setdefault(self._titles.current, []).append(self._images)


def _describe_image(figure: Any) -> None:
    """Have the caption of a figure describe its only image, if nothing else does."""
    caption, images = figure.find("figcaption"), list(figure.iter("img"))
    if caption is not None and len(images) == 1 and not images[0].get("alt", "").strip():
        images[0].set("alt", " ".join("".join(caption.itertext()).split()))


def _has_content(element: Any) -> bool:
    if "".join(element.itertext()).strip():
        return True
    return any(image.get("alt", "").strip() for image in element.iter("img"))
