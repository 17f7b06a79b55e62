"""Links inside a text, such as those of footnotes: their targets are kept, and nothing else has an id."""

import re

from documents.content.normalising.tree import BLANKS, Element, iter_elements, text_of

UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


class Anchors:
    """Knows which targets of a text links lead to."""

    def __init__(self, root: Element) -> None:
        described = [element for element in iter_elements(root) if element.attributes]
        links = [element for element in described if element.tag == "a"]
        shown = (link for link in links if _is_seen(link))
        wanted = {address[1:] for link in shown if (address := _address(link)).startswith("#")}
        names = (name for element in described for name in _names(element)) if wanted else ()
        self._names = wanted.intersection(names)
        self._written: set[str] = set()
        for link in links:
            self._link(link)

    def _link(self, element: Element) -> None:
        """Give links the safe form of their target; those that lead nowhere are no links."""
        address = _address(element)
        if not address.startswith("#"):
            return
        if address[1:] in self._names:
            element.attributes["href"] = f"#{safe_name(address[1:])}"
        else:
            del element.attributes["href"]

    def take(self, element: Element) -> str:
        """Return the safe name of a target, once, or an empty text for what no link leads to."""
        for name in _names(element) if self._names else ():
            safe = safe_name(name)
            if name in self._names and safe not in self._written:
                self._written.add(safe)
                return safe
        return ""

    def target(self, element: Element) -> Element | None:
        """Return an anchor for an inline element that is a target."""
        name = self.take(element) if element.attributes else ""
        return Element("a", {"id": name}) if name else None


def _is_seen(link: Element) -> bool:
    has_image = any(element.tag == "img" for element in iter_elements(link))
    return has_image or bool(text_of(link).strip(BLANKS))


def _address(link: Element) -> str:
    return link.attributes.get("href", "").strip()


def _names(element: Element) -> list[str]:
    names = ("id", "name") if element.tag == "a" else ("id",)
    return [value for name in names if (value := element.attributes.get(name))]


def safe_name(name: str) -> str:
    """Return a name as an id of ours may be."""
    return UNSAFE.sub("-", name)
