"""Write MathML as text that can be read: fractions with a slash, powers and indices as such."""

from documents.content.normalising.tree import Element, Node, elements_in, text_of

AROUND = {"msqrt": ("√(", ")"), "mtr": ("", "; "), "mtd": ("", " ")}
SCRIPTS: dict[str, tuple[str, ...]] = {
    "msup": ("sup",),
    "mover": ("sup",),
    "msub": ("sub",),
    "munder": ("sub",),
}
SCRIPTS |= {"msubsup": ("sub", "sup"), "munderover": ("sub", "sup")}
SPACED_SIGNS = frozenset("=<>≤≥≈≠+−±×→∈")


def to_text(math: Element) -> list[Node]:
    """Return an equation as text with ``sup`` and ``sub``."""
    nodes = _written(math.children)
    return nodes or [math.attributes.get("alttext", "")]


def _written(nodes: list[Node]) -> list[Node]:
    return [part for node in nodes for part in _write(node)]


def _write(node: Node) -> list[Node]:
    if isinstance(node, str):
        return [" ".join(node.split())] if node.strip() else []
    parts = elements_in(node)
    if node.tag == "mo":
        sign = text_of(node).strip()
        return [f" {sign} " if sign in SPACED_SIGNS else sign]
    if node.tag == "mfrac" and len(parts) == 2:
        return [*_grouped(parts[0]), "/", *_grouped(parts[1])]
    if node.tag == "mroot" and len(parts) == 2:
        return [Element("sup", children=_write(parts[1])), "√(", *_write(parts[0]), ")"]
    tags = SCRIPTS.get(node.tag, ())
    if tags and len(parts) == len(tags) + 1:
        scripts = (Element(tag, children=_write(part)) for tag, part in zip(tags, parts[1:], strict=True))
        return [*_write(parts[0]), *scripts]
    before, after = AROUND.get(node.tag, ("", ""))
    return [part for part in (before, *_written(node.children), after) if part]


def _grouped(node: Element) -> list[Node]:
    """Return a part of a fraction, in brackets if it has several."""
    nodes = _write(node)
    return nodes if len(nodes) < 2 else ["(", *nodes, ")"]
