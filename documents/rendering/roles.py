"""The structure types of PDF that the elements of HTML become, and their attributes."""

from dataclasses import dataclass
from typing import Any

import pydyf

from documents.rendering.break_opportunities import ZERO_WIDTH_SPACE

HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
TYPES = {
    **{heading: heading.upper() for heading in HEADINGS},
    "p": "P",
    "pre": "P",
    "section": "Sect",
    "article": "Art",
    "blockquote": "BlockQuote",
    "figure": "Div",
    "figcaption": "Caption",
    "caption": "Caption",
    "ul": "L",
    "ol": "L",
    "dl": "L",
    "li": "LI",
    "dt": "Lbl",
    "dd": "LBody",
    "li::marker": "Lbl",
    "li::before": "Lbl",
    "table": "Table",
    "thead": "THead",
    "tbody": "TBody",
    "tfoot": "TFoot",
    "tr": "TR",
    "th": "TH",
    "td": "TD",
    "code": "Code",
    "q": "Quote",
}
# Types that hold blocks: a text in one of them needs a paragraph around it.
GROUPS = frozenset({"Document", "Sect", "Art", "Div", "BlockQuote"})
# The children that a type may have, and the type in which others are put.
CHILDREN: dict[str, tuple[frozenset[str], str]] = {
    "L": (frozenset({"LI", "L", "Caption"}), "LI"),
    "LI": (frozenset({"Lbl", "LBody"}), "LBody"),
    "TOC": (frozenset({"TOCI", "TOC", "Caption"}), "TOCI"),
    "TOCI": (frozenset({"Lbl", "Reference", "P", "TOC"}), "Reference"),
    "TR": (frozenset({"TH", "TD"}), "TD"),
}
# Items of lists stand in lists only.
PARENTS = {"LI": frozenset({"L"})}
# Cells and rows keep their place when they are empty.
KEPT_EMPTY = frozenset({"TD", "TH", "TR", "Document"})
NUMBERINGS = {
    "disc": "Disc",
    "circle": "Circle",
    "square": "Square",
    "decimal": "Decimal",
    "lower-alpha": "LowerAlpha",
    "upper-alpha": "UpperAlpha",
    "lower-roman": "LowerRoman",
    "upper-roman": "UpperRoman",
}


@dataclass(frozen=True, kw_only=True)
class Role:
    """The structure type of an element, and the entries of its dictionary."""

    type: str
    entries: dict[str, Any]


def role_of(box: Any, *, is_in_link: bool, is_in_contents: bool) -> Role | None:
    """Return the role of a laid out box, or None if its content belongs to the element around it."""
    tag, element = box.element_tag, box.element
    entries = _texts(element) if "::" not in tag else {}
    if box.link_annotation and not is_in_link:
        return Role(type="Link", entries=entries | _link_alternative(element))
    kind = _type_of(tag, element)
    if is_in_contents:
        kind = {"L": "TOC", "LI": "TOCI"}.get(kind, kind)
    if kind:
        return Role(type=kind, entries=entries | _attributes(kind, box))
    return Role(type="Span", entries=entries) if entries else None


def _type_of(tag: str, element: Any) -> str:
    """Return the structure type of an element, or an empty text; see ``repairs`` and ``table_grids``."""
    kind = TYPES.get(tag, "")
    if "data-level" in element.attrib and tag in HEADINGS:
        return f"H{element.get('data-level')}"
    if "data-layout" in element.attrib:
        return "Div" if kind in {"Table", "TD"} else ""
    return "TH" if "data-header" in element.attrib else kind


def text_of_link(link: Any) -> str:
    """Return what a link says: its text, that of its images, or its address."""
    images = (image.get("alt", "") for image in link.iter("img"))
    return _own_text(link) or " ".join(" ".join(images).split()) or str(link.get("href", ""))


def _own_text(link: Any) -> str:
    return " ".join("".join(link.itertext()).replace(ZERO_WIDTH_SPACE, "").split())


def _link_alternative(link: Any) -> dict[str, Any]:
    """Return the alternative of a link without any text."""
    return {} if _own_text(link) else {"Alt": pydyf.String(text_of_link(link))}


def _texts(element: Any) -> dict[str, Any]:
    """Return the language and the expansion that an element states."""
    entries = {}
    if element.get("lang") and element.tag != "html":
        entries["Lang"] = pydyf.String(element.get("lang"))
    if element.tag in {"abbr", "acronym"} and element.get("title", "").strip():
        entries["E"] = pydyf.String(element.get("title").strip())
    return entries


def _attributes(kind: str, box: Any) -> dict[str, Any]:
    if kind in {"TH", "TD"}:
        return _cell_attributes(kind, box)
    if kind == "L":
        numbering = NUMBERINGS.get(str(box.style["list_style_type"]), "None")
        return {"A": pydyf.Dictionary({"O": "/List", "ListNumbering": f"/{numbering}"})}
    return {}


def _cell_attributes(kind: str, box: Any) -> dict[str, Any]:
    attributes: dict[str, Any] = {"O": "/Table"}
    if kind == "TH":
        scope = box.element.get("scope", "")
        attributes["Scope"] = "/Row" if scope in {"row", "rowgroup"} else "/Column"
    if box.colspan != 1:
        attributes["ColSpan"] = box.colspan
    if box.rowspan != 1:
        attributes["RowSpan"] = box.rowspan
    return {"A": pydyf.Dictionary(attributes)} if len(attributes) > 1 else {}
