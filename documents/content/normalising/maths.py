"""Write MathML as text that can be read: fractions with a slash, powers and indices as such."""

from documents.content.normalising.tree import Element, Node, elements_in, text_of

WRAPPED = {"msqrt": ("√(", ")"), "menclose": ("", ""), "mphantom": ("", "")}


def to_text(math: Element) -> list[Node]:
    """Return an equation as text with ``sup`` and ``sub``."""
    nodes = _all(math.children)
    if not any(not isinstance(node, str) or node.strip() for node in nodes):
        return [math.attributes.get("alttext", "")]
    return nodes


def _all(nodes: list[Node]) -> list[Node]:
    return [part for node in nodes for part in _one(node)]


def _one(node: Node) -> list[Node]:
    if isinstance(node, str):
        return [" ".join(node.split())] if node.strip() else []
    parts = elements_in(node)
    match node.tag, len(parts):
        case "mfrac", 2:
            return [*_grouped(parts[0]), "/", *_grouped(parts[1])]
        case "msup" | "mover", 2:
            return [*_one(parts[0]), Element("sup", children=_one(parts[1]))]
        case "msub" | "munder", 2:
            return [*_one(parts[0]), Element("sub", children=_one(parts[1]))]
        case "msubsup" | "munderover", 3:
            low, high = (Element(tag, children=_one(part)) for tag, part in zip(("sub", "sup"), parts[1:], strict=True))
            return [*_one(parts[0]), low, high]
        case "mroot", 2:
            return [Element("sup", children=_one(parts[1])), "√(", *_one(parts[0]), ")"]
        case "mtr", _:
            return [*_all(node.children), "; "]
        case "mtd", _:
            return [*_all(node.children), " "]
        case "mo", _:
            return [f" {sign} " if (sign := text_of(node).strip()) in "=<>≤≥≈≠+−±×→∈" and sign else text_of(node).strip()]
    before, after = WRAPPED.get(node.tag, ("", ""))
    return [part for part in (before, *_all(node.children), after) if part]


def _grouped(node: Element) -> list[Node]:
    """Return a part of a fraction, in brackets if it has several."""
    nodes = _one(node)
    return nodes if len(nodes) < 2 else ["(", *nodes, ")"]
