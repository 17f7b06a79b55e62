"""The elements of a structure tree, and how they are written into a PDF."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pydyf

from documents.rendering import roles


@dataclass(eq=False, kw_only=True)
class Tag:
    """An element of the structure tree.

    Its ``kids`` are tags, annotations as (page number, annotation), and marks as (page number, mark); a mark is
    the number of a piece of a page's content.
    """

    type: str
    parent: "Tag | None" = None
    entries: dict[str, Any] = field(default_factory=dict)
    kids: "list[Tag | Mark | Link]" = field(default_factory=list)
    object: pydyf.Dictionary | None = None
    owner: Any = None
    description: str = ""  # of a link

    @property
    def is_group(self) -> bool:
        """Whether it holds blocks only."""
        return self.type in roles.GROUPS

    @property
    def link(self) -> "Tag | None":
        """The link that it is, or is in."""
        tag: Tag | None = self
        while tag is not None and tag.type != "Link":
            tag = tag.parent
        return tag


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A piece of a page's content."""

    page: int
    number: int
    is_blank: bool


@dataclass(frozen=True, kw_only=True)
class Link:
    """The annotation of a link on a page."""

    page: int
    annotation: Any


class TreeWriter:
    """Writes tags as objects of a PDF, and the tree that leads from content to tags."""

    def __init__(self, pdf: pydyf.PDF, page_streams: list[Any]) -> None:
        self._pdf, self._pages = pdf, pdf.page_references
        self._by_mark: list[list[Any]] = [["null"] * len(stream._tags) for stream in page_streams]
        self._links: list[tuple[bytes, Any]] = []

    def write(self, root: Tag) -> None:
        """Write the tree under ``root``."""
        parents = self._add({})
        tree_root = self._add({"Type": "/StructTreeRoot", "ParentTree": parents.reference})
        tree_root["K"] = pydyf.Array([self._write(root, tree_root).reference])
        parents["Nums"] = pydyf.Array(self._numbers())
        tree_root["ParentTreeNextKey"] = len(parents["Nums"]) // 2
        self._pdf.catalog["StructTreeRoot"] = tree_root.reference

    def _numbers(self) -> Iterator[Any]:
        for number, elements in enumerate(self._by_mark):
            yield from (number, pydyf.Array(elements))
        for number, (reference, annotation) in enumerate(self._links, start=len(self._by_mark)):
            annotation["StructParent"] = number
            yield from (number, reference)

    def _add(self, entries: dict[str, Any]) -> pydyf.Dictionary:
        dictionary = pydyf.Dictionary(entries)
        self._pdf.add_object(dictionary)
        return dictionary

    def _write(self, tag: Tag, parent: pydyf.Dictionary) -> pydyf.Dictionary:
        element = self._add(
            {"Type": "/StructElem", "S": f"/{tag.type}", "P": parent.reference, **tag.entries}
        )
        first_page = next((kid.page for kid in tag.kids if not isinstance(kid, Tag)), None)
        if first_page is not None:
            element["Pg"] = self._pages[first_page]
        kids = [self._kid(kid, element, first_page) for kid in tag.kids]
        element["K"] = pydyf.Array(kids)
        return element

    def _kid(self, kid: "Tag | Mark | Link", element: pydyf.Dictionary, first_page: int | None) -> Any:
        if isinstance(kid, Tag):
            return self._write(kid, element).reference
        page = {} if kid.page == first_page else {"Pg": self._pages[kid.page]}
        if isinstance(kid, Link):
            self._links.append((element.reference, kid.annotation))
            return pydyf.Dictionary({"Type": "/OBJR", "Obj": kid.annotation.reference, **page})
        self._by_mark[kid.page][kid.number] = element.reference
        return pydyf.Dictionary({"Type": "/MCR", "MCID": kid.number, **page}) if page else kid.number
