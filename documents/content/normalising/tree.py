"""The tree that a text is while it is normalised: elements with parsed styles, and strings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Self

VOID = frozenset({"br", "col", "hr", "img", "wbr"})
LISTS = frozenset({"ol", "ul"})
# Until they are brought below our own, a title is h0, and Word has levels to h9.
HEADINGS = frozenset(f"h{level}" for level in range(10))
BLOCKS = frozenset(
    {
        *("blockquote", "caption", "col", "colgroup", "dd", "div", "dl", "dt", "figcaption", "figure", "hr"),
        *("li", "ol", "p", "pre", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul"),
        *HEADINGS,
    }
)
BLANKS = " \t\n\r\f\u00a0\u200b\ufeff"


@dataclass(frozen=True, slots=True, eq=False)
class Wrap:
    """An inline element that only says how its content looks, such as ``b`` or a styled ``span``."""

    tag: str
    style: Mapping[str, str]


type Wraps = tuple[Wrap, ...]


class Run(str):
    """A text in inline elements; they are no part of the tree, which keeps it small and flat."""

    __slots__ = ("wraps",)
    wraps: Wraps

    def __new__(cls, text: str, wraps: Wraps) -> Self:
        """Make a text that is in ``wraps``, the outermost first."""
        run = super().__new__(cls, text)
        run.wraps = wraps
        return run


@dataclass(slots=True, eq=False)
class Element:
    """An element; ``style`` holds the declarations that matter, by property, in lower case.

    ``wraps`` are the inline elements that it is in, up to its parent in the tree.
    """

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    style: Mapping[str, str] = field(default_factory=dict)
    children: list["Node"] = field(default_factory=list)
    wraps: Wraps = ()

    @property
    def classes(self) -> list[str]:
        """Its classes, without the prefix ``x_`` that Outlook on the web gives to each."""
        return [name.removeprefix("x_") for name in self.attributes.get("class", "").split()]

    def has_class(self, *names: str) -> bool:
        """Return True if it has one of these classes."""
        written = self.attributes.get("class")
        if not written or not any(name in written for name in names):
            return False
        return not set(names).isdisjoint(self.classes)


type Node = Element | str


def iter_elements(root: Element) -> Iterator[Element]:
    """Yield all elements below ``root`` in document order."""
    waiting = [child for child in reversed(root.children) if isinstance(child, Element)]
    while waiting:
        element = waiting.pop()
        yield element
        waiting.extend(child for child in reversed(element.children) if isinstance(child, Element))


def wraps_of(node: Node) -> Wraps:
    """Return the inline elements that a node is in."""
    return node.wraps if isinstance(node, Run | Element) else ()


def wrapped(node: Node, wraps: Wraps) -> Node:
    """Return a node, in inline elements outside those that it is in already."""
    if not wraps:
        return node
    if isinstance(node, str):
        return Run(node, (*wraps, *wraps_of(node)))
    node.wraps = (*wraps, *node.wraps)
    return node


def replace_text(old: str, new: str) -> str:
    """Return a new text in the inline elements of an old one."""
    return Run(new, old.wraps) if isinstance(old, Run) else new


def text_of(node: Node) -> str:
    """Return the text of a node and all that is in it."""
    if isinstance(node, str):
        return node
    texts: list[str] = []
    waiting: list[Node] = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            texts.append(part)
        else:
            waiting.extend(reversed(part.children))
    return "".join(texts)


def is_blank(node: Node) -> bool:
    """Return True if a node has neither text nor anything else to see."""
    if isinstance(node, str):
        return not node.strip(BLANKS)
    if node.tag in {"img", "hr", "table", "input"}:
        return False
    return all(is_blank(child) for child in node.children)


def targets_in(element: Element) -> list[Node]:
    """Return an empty anchor for each target of links in an element that is not kept."""
    return [
        Element("a", {"id": name})
        for part in (element, *iter_elements(element))
        if (name := part.attributes.get("id") or part.attributes.get("name"))
    ]


def has_target(element: Element) -> bool:
    """Return True if links may lead into an element, even if nothing of it is seen."""
    return any(part.attributes.keys() & {"id", "name"} for part in (element, *iter_elements(element)))


def elements_in(element: Element) -> list[Element]:
    """Return the children that are elements."""
    return [child for child in element.children if isinstance(child, Element)]


def has_blocks(element: Element) -> bool:
    """Return True if one of the children is a block."""
    return any(isinstance(child, Element) and child.tag in BLOCKS for child in element.children)


def serialise(root: Element) -> str:
    """Return the HTML of what is in ``root``."""
    parts: list[str] = []
    for child in root.children:
        _write(child, parts)
    return "".join(parts)


def _write(node: Node, parts: list[str]) -> None:
    if isinstance(node, str):
        parts.append(node if node.isalnum() else escape(node, quote=False))
        return
    if not node.attributes:
        parts.append(f"<{node.tag}>")
    else:
        attributes = "".join(f' {name}="{escape(value)}"' for name, value in node.attributes.items())
        parts.append(f"<{node.tag}{attributes}>")
    if node.tag in VOID:
        return
    for child in node.children:
        _write(child, parts)
    parts.append(f"</{node.tag}>")
