"""Characters that no font has: where they are in a document, and what to do about them."""

import re
from collections.abc import Mapping
from typing import Any

from documents.rendering import fallback_fonts

# Titles of sections, and of chapters and their sections in a report.
TITLE_CLASSES = frozenset({"section-title", "part-title", "area-title", "chapter-title", "chapter-section"})
MAX_CHARACTERS = 20
PRIVATE_USE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010ffff]")
BOX = "□"


def private_characters(root: Any) -> str:
    """Return the characters of a tree of HTML whose meaning only one font knows, such as symbols of Word."""
    return _once("".join(PRIVATE_USE.findall("".join(root.itertext()))))


def replace(characters: str, root: Any) -> None:
    """Print boxes in the place of these characters, also in running headers, which are attributes."""
    if not characters:
        return
    boxes = str.maketrans(dict.fromkeys(characters, BOX))
    for element in root.iter():
        element.text, element.tail = (
            text.translate(boxes) if text else text for text in (element.text, element.tail)
        )
        for name, value in element.items():
            if name.startswith("data-"):
                element.set(name, value.translate(boxes))


def merged(places: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """Return the characters of both by the title over them, each once."""
    merged_places = dict(places)
    for title, characters in others.items():
        merged_places[title] = _once(merged_places.get(title, "") + characters)
    return merged_places


def locate(characters: str, root: Any) -> dict[str, str]:
    """Return characters by the title over them in a tree of HTML; an empty one for what is above all titles."""
    if not characters:
        return {}
    pattern = re.compile(f"[{re.escape(characters)}]")
    places: dict[str, str] = {}
    titles = Titles()
    for element in root.iter():
        if isinstance(element.tag, str):
            titles.enter(element)
            # What follows an element is under the title that the element itself may be.
            for text in (element.text, element.tail):
                if text and (signs := "".join(pattern.findall(text))):
                    places[titles.current] = _once(places.get(titles.current, "") + signs)
    return places or {"": _once(characters)}


class Titles:
    """The title that is over an element, as a tree is read in its order."""

    def __init__(self) -> None:
        self.current = self._chapter = ""

    def enter(self, element: Any) -> bool:
        """Read the next element; return True if it is a title."""
        classes = TITLE_CLASSES.intersection(element.get("class", "").split())
        if not classes:
            return False
        self.current = " ".join("".join(element.itertext()).split())
        if "chapter-section" in classes:
            self.current = f"{self._chapter}, {self.current}"
        else:
            self._chapter = self.current
        return True


def sentence(place: str, found: list[str]) -> str:
    """Return a sentence for the author about the characters of a place, or of several."""
    characters = _once("".join(found))
    packages = fallback_fonts.missing_packages(characters)
    advice = (
        f"Ask for {' and '.join(packages)} to be installed on the server."
        if packages
        else "Write them in another way."
    )
    shown = " ".join(characters[:MAX_CHARACTERS]) + (" …" if len(characters) > MAX_CHARACTERS else "")
    return f"Characters {place} are in none of our fonts and print as boxes ({shown}). {advice}"


def _once(characters: str) -> str:
    return "".join(dict.fromkeys(characters))
