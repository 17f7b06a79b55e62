"""Tag a drawn document for screen readers: build its structure tree from the laid out boxes.

WeasyPrint's own tree (version 70) tags running headers and decorations as content, gives each part of a paragraph that
goes on over a page an element, and knows neither tables of contents nor the scope of a header cell.
"""

from typing import Any

import pydyf

from documents.rendering import roles
from documents.rendering.tags import Link, Mark, Tag, TreeWriter

POINTS_PER_PIXEL = 0.75
HEADER, FOOTER = "Header", "Footer"
# The owner of tags that no element has.
WRAPPER, TEXT = "wrapper", "text"


def add_tags(pdf: pydyf.PDF, document: Any, _pdf_version: str, page_streams: list[Any]) -> None:
    """Add the structure tree of a drawn document to its PDF. Has the signature of WeasyPrint's function."""
    tree = _Tree()
    for number, (page, stream) in enumerate(zip(document.pages, page_streams, strict=True)):
        tree.add_page(number, page, stream)
    tree.prune(tree.root)
    for number, stream in enumerate(page_streams):
        _mark_artifacts(stream, tree.artifacts.get(number, {}))
    TreeWriter(pdf, page_streams).write(tree.root)
    pdf.catalog["ViewerPreferences"] = pydyf.Dictionary({"DisplayDocTitle": "true"})
    pdf.catalog["MarkInfo"] = pydyf.Dictionary({"Marked": "true"})


class _Tree:
    """The tags of a document, and the artifacts of each page: the number of a mark, and what it is."""

    def __init__(self) -> None:
        self.root = Tag(type="Document")
        self.artifacts: dict[int, dict[int, str]] = {}
        self._tags: dict[tuple[Any, str], Tag] = {}
        self._links: dict[tuple[Any, str], Tag] = {}
        self._header_pages: dict[Any, int] = {}

    def add_page(self, number: int, page: Any, stream: Any) -> None:
        """Add the content of a page, in the order of its boxes."""
        from weasyprint.formatting_structure.boxes import MarginBox

        self._number, self._height, self._marks = number, page.height, stream._tags
        self._page_artifacts = self.artifacts.setdefault(number, {})
        for box in page._page_box.children:
            if isinstance(box, MarginBox):
                subtype = HEADER if "top" in box.at_keyword else FOOTER
                self._leave_out(box, f"/Type /Pagination /Subtype /{subtype}")
            else:
                self._add(box, self.root)

    def _add(self, box: Any, parent: Tag) -> None:
        """Add a box and what it contains to ``parent``."""
        box = getattr(box, "_box", box)  # an absolutely positioned box has a placeholder
        if (mark := self._marks.get(box)) is not None:
            self._add_content(box, mark["mcid"], parent)
        elif self._is_repeated(box):
            self._leave_out(box, "/Type /Pagination")
        else:
            self._add_children(box, self._tag_of(box, parent))

    def _add_children(self, box: Any, tag: Tag) -> None:
        from weasyprint.formatting_structure.boxes import LineBox

        for child in getattr(box, "children", ()):
            if isinstance(child, LineBox):
                around = self._paragraph(tag, (box.element, box.element_tag)) if tag.is_group else tag
                for piece in child.children:
                    self._add(piece, around)
            else:
                self._add(child, tag)

    def _add_content(self, box: Any, mark: int, parent: Tag) -> None:
        """Add the piece of text, or the picture, that a box shows."""
        text = getattr(box, "text", None)
        if text is not None:
            tag = self._tag_of(box, parent) if "::" in (box.element_tag or "") else parent
            self._allowing(tag, "").kids.append(
                Mark(page=self._number, number=mark, is_blank=not text.strip())
            )
            return
        if box.link_annotation:
            self._add_link(box, parent.link or self._child(parent, "Link"))
        if alternative := box.element.get("alt", "").strip():
            self._add_figure(box, mark, parent, alternative)
        else:
            self._page_artifacts[mark] = "/Type /Layout"

    def _add_figure(self, box: Any, mark: int, parent: Tag, alternative: str) -> None:
        left, top = box.content_box_x(), self._height - box.content_box_y()
        edges = (left, top - box.height, left + box.width, top)
        place = pydyf.Array([round(edge * POINTS_PER_PIXEL, 3) for edge in edges])
        entries = {
            "Alt": pydyf.String(alternative),
            "A": pydyf.Dictionary({"O": "/Layout", "BBox": place, "Placement": "/Block"}),
        }
        tag = self._new(parent, "Figure", (box.element, "img"), entries)
        tag.kids.append(Mark(page=self._number, number=mark, is_blank=False))

    def _tag_of(self, box: Any, parent: Tag) -> Tag:
        """Return the tag of a box: a new one, that of its part on the page before, or ``parent``."""
        if box.element is None or box.element_tag in {"html", "body"}:
            return parent
        key = (box.element, box.element_tag)
        link = parent.link if box.link_annotation else None
        tag = self._tags.get(key)
        if tag is None:
            is_in_contents = parent.type == "TOC" or box.element.get("class") == "toc"
            role = roles.role_of(box, is_in_link=link is not None, is_in_contents=is_in_contents)
            tag = self._new(parent, role.type, key, role.entries) if role else parent
        if box.link_annotation:
            self._add_link(box, link or tag)
        return tag

    def _add_link(self, box: Any, tag: Tag) -> None:
        """Add the annotation of a box to the tag of its link: each box in a link has one."""
        tag.description = tag.description or roles.text_of_link(box.element)
        box.link_annotation["Contents"] = pydyf.String(tag.description)
        tag.kids.append(Link(page=self._number, annotation=box.link_annotation))
        self._links[box.element, box.element_tag] = tag

    def _new(self, parent: Tag, kind: str, key: tuple[Any, str], entries: dict[str, Any]) -> Tag:
        if kind == "Lbl" and key[1] == "dt":
            parent = self._child(self._allowing(parent, "LI"), "LI")
        elif key[1] == "dd":
            parent = self._item_without_body(self._allowing(parent, "LI"))
        else:
            parent = self._allowing(parent, kind)
        tag = self._tags[key] = self._child(parent, kind)
        tag.entries = entries
        return tag

    def _allowing(self, tag: Tag, kind: str) -> Tag:
        """Return the tag, or one in it, that may have a child of this type."""
        if kind in roles.PARENTS and tag.type not in roles.PARENTS[kind]:
            tag = self._last_or_new(tag, "L")
        while tag.type in roles.CHILDREN:
            allowed, wrapper = roles.CHILDREN[tag.type]
            if kind in allowed:
                return tag
            tag = self._last_or_new(tag, wrapper)
        return (
            self._paragraph(tag, "inline")
            if tag.is_group and kind in {"", "Link", "Span", "Code", "Quote"}
            else tag
        )

    def _last_or_new(self, tag: Tag, wrapper: str) -> Tag:
        """Return the wrapper that ``tag`` ends with, or a new one."""
        last = tag.kids[-1] if tag.kids else None
        if isinstance(last, Tag) and last.type == wrapper and last.owner == WRAPPER:
            return last
        return self._child(tag, wrapper, owner=WRAPPER)

    def _item_without_body(self, tag: Tag) -> Tag:
        last = tag.kids[-1] if tag.kids else None
        if isinstance(last, Tag) and all(isinstance(kid, Tag) and kid.type == "Lbl" for kid in last.kids):
            return last
        return self._child(tag, "LI")

    def _paragraph(self, tag: Tag, owner: Any) -> Tag:
        """Return the paragraph at the end of a group that holds the text of ``owner``."""
        last = tag.kids[-1] if tag.kids else None
        if isinstance(last, Tag) and last.type == "P" and last.owner == owner:
            return last
        return self._child(tag, "P", owner=owner)

    @staticmethod
    def _child(parent: Tag, kind: str, *, owner: Any = None) -> Tag:
        tag = Tag(type=kind, parent=parent, owner=owner)
        parent.kids.append(tag)
        return tag

    def _is_repeated(self, box: Any) -> bool:
        """Return True for the head or foot of a table that was on a page before."""
        if not (getattr(box, "is_header", False) or getattr(box, "is_footer", False)):
            return False
        return self._header_pages.setdefault(box.element, self._number) != self._number

    def _leave_out(self, box: Any, properties: str) -> None:
        """Make everything that a box shows artifacts."""
        for inner in (box, *box.descendants(placeholders=True)):
            mark = self._marks.get(getattr(inner, "_box", inner))
            if mark is not None:
                self._page_artifacts[mark["mcid"]] = properties
            if inner.link_annotation and (tag := self._links.get((inner.element, inner.element_tag))):
                self._add_link(inner, tag)

    def prune(self, tag: Tag) -> bool:
        """Remove tags without content, whose blanks become artifacts; return True if ``tag`` has content."""
        tag.kids = [kid for kid in tag.kids if not isinstance(kid, Tag) or self.prune(kid)]
        has_content = any(not (isinstance(kid, Mark) and kid.is_blank) for kid in tag.kids)
        if not has_content:
            for blank in tag.kids:
                if isinstance(blank, Mark):
                    self.artifacts[blank.page][blank.number] = "/Type /Layout"
            tag.kids.clear()
        else:
            _complete(tag)
        return has_content or tag.type in roles.KEPT_EMPTY


def _complete(tag: Tag) -> None:
    """Give a tag what its type needs."""
    if tag.type == "LI":
        _complete_item(tag)
    elif tag.type == "Table":
        _complete_table(tag)
    _wrap_texts(tag)


def _wrap_texts(tag: Tag) -> None:
    """Put texts beside other elements in elements as well: some readers take a parent's own texts first."""
    if not any(isinstance(kid, Tag) for kid in tag.kids):
        return
    kids: list[Tag | Mark | Link] = []
    for kid in tag.kids:
        if not isinstance(kid, Mark):
            kids.append(kid)
        elif kids and isinstance(last := kids[-1], Tag) and last.owner == TEXT:
            last.kids.append(kid)
        else:
            kids.append(Tag(type="Span", parent=tag, owner=TEXT, kids=[kid]))
    tag.kids = kids


def _complete_item(item: Tag) -> None:
    """Make the label of a list item without a body its body."""
    labels = [kid for kid in item.kids if isinstance(kid, Tag)]
    if all(label.type == "Lbl" for label in labels):
        labels[-1].type = "LBody"


def _complete_table(table: Tag) -> None:
    """Make the head or the foot of a table without a body its body, and a table without rows a group."""
    groups = [
        kid for kid in table.kids if isinstance(kid, Tag) and kid.type in {"THead", "TBody", "TFoot", "TR"}
    ]
    if not groups:
        table.type = "Div"
    elif all(group.type in {"THead", "TFoot"} for group in groups):
        groups[0].type = "TBody"


def _mark_artifacts(stream: Any, artifacts: dict[int, str]) -> None:
    """Rewrite the marks of a page's artifacts, which are drawn as content."""
    if not artifacts:
        return
    operators = stream.stream
    for place, operand in enumerate(operators):
        if isinstance(operand, pydyf.Dictionary) and operand.get("MCID") in artifacts:
            operators[place - 1] = "/Artifact"
            operators[place] = f"<<{artifacts[operand['MCID']]}>>"
